"""Training without a run around it: some steps of a module on the tiny configuration."""

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from stackgan.assembly import build_module, build_trainer
from stackgan.config import stage_scale
from stackgan.data.batches import BatchStream
from stackgan.inputs import prepare_inputs
from stackgan.networks.text_to_image import TextToImage


def steps(config, count, stage_one=None, module=None, callbacks=()):
    """Train until `count` steps are done; returns the module."""
    inputs = prepare_inputs(config)
    pl.seed_everything(0, verbose=False)
    module = module or build_module(config, inputs, 1000, stage_one)
    scale = stage_scale(config)
    stream = BatchStream(
        inputs.store, inputs.table, image_size=scale.image_size, batch_size=scale.batch_size, seed=0,
        start=module.step_count, steps=count,
        mismatch=config.loss.mismatch,
        wrong_texts=config.loss.wrong_texts,
    )  # fmt: skip
    trainer = build_trainer(config, [*callbacks], [])
    trainer.fit(module, DataLoader(stream, batch_size=None))
    return module


def build_again(config):
    """The module as `steps` begins with it."""
    pl.seed_everything(0, verbose=False)
    return build_module(config, prepare_inputs(config), 1000, None)


def state(network):
    return {key: value.clone() for key, value in network.state_dict().items()}


def stage_one_sampler(tiny):
    return TextToImage(steps(tiny(), 1).generator)


def same(a, b):
    """Whether two checkpoints, or parts of them, are equal."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
