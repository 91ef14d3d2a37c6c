"""bfloat16 trains as float32 does: its loss curves stay nearer than those of another seed."""

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from stackgan.assembly import build_module, build_stream, build_trainer
from stackgan.config import stage_scale
from stackgan.inputs import prepare_inputs

STEPS, WINDOW = 200, 20
LOSSES = ("loss/d", "loss/g", "loss/kl")


class Curves(pl.Callback):
    """Means of the losses over each window of steps."""

    def __init__(self):
        self.rows = []

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if (batch_idx + 1) % WINDOW == 0:
            means = module.averages.take()
            self.rows.append([means[name] for name in LOSSES])


def curves(config):
    """[windows, losses]; the weights at the start are the same whatever the seed is."""
    inputs, budget = prepare_inputs(config), STEPS * stage_scale(config).batch_size
    torch.manual_seed(0)
    module, recorder = build_module(config, inputs, budget, None), Curves()
    trainer = build_trainer(config, [recorder], [])
    trainer.fit(module, DataLoader(build_stream(config, inputs, budget, trainer, 0), batch_size=None))
    return torch.tensor(recorder.rows)


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [[], ["norm=group", "loss=hinge"]], ids=lambda value: " ".join(value) or "base")
def test_loss_curves_of_bfloat16_lie_within_the_spread_of_seeds(tiny, overrides):
    exact, other_seed, rounded = (
        curves(tiny(*overrides, f"trainer.precision={precision}", f"seed={seed}"))
        for precision, seed in (("32-true", 0), ("32-true", 1), ("bf16-mixed", 0))
    )
    assert len(exact) == STEPS // WINDOW and exact.isfinite().all()
    spread, distance = (other_seed - exact).abs().mean(0), (rounded - exact).abs().mean(0)
    assert (distance <= spread).all(), (distance, spread)
    assert (distance > 0).all()  # it is another precision
