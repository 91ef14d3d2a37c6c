"""The bench: its baseline computes what ours computes, and its count of operations is right."""

import sys
from dataclasses import replace

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from stackgan.config import PROJECT
from stackgan.data.batches import Batch
from stackgan.inputs import Inputs, prepare_store
from stackgan.networks.text_to_image import TextToImage, from_pixels

sys.path.insert(0, str(PROJECT / "bench"))  # a folder of scripts

import arithmetic
import baseline
import limits
import run as bench
from cases import CASES, Case
from steps import StepTimes, random_table

from stackgan.assembly import build_module, build_trainer

TEXT, STEPS = 12, 3
SIZES = {"gf": 8, "df": 8, "batch": 6, "text_dim": TEXT, "condition_dim": 128, "stage_one_size": 16, "residuals": 1}
TINY = {
    "one": replace(CASES["stage1"], size=16, **SIZES),
    "two": replace(CASES["stage2"], size=64, **SIZES),
}


class Recorder(pl.Callback):
    """What our module does at each step: losses, the fakes, and the gradients that its optimizers get."""

    def __init__(self, module):
        self.losses, self.gradients, self.noise, self.fakes = [], [], [], []
        self.module = module
        generate = module.generate

        def remembered(text, noise):
            output = generate(text, noise)
            self.noise.append(noise)
            self.fakes.append(output.images.detach().clone())
            return output

        module.generate = remembered

    def on_train_batch_start(self, trainer, module, *_):
        if not self.losses:
            for optimizer in trainer.optimizers:
                optimizer.register_step_pre_hook(lambda optimizer, *_: self.gradients.append(gradients(optimizer)))

    def on_train_batch_end(self, trainer, module, *_):
        means = module.averages.take()
        self.losses.append([means[name] for name in ("loss/d", "loss/g", "loss/kl")])


def gradients(optimizer):
    return [p.grad.clone() for group in optimizer.param_groups for p in group["params"] if p.requires_grad]


def case_batches(case, dtype):
    generator = torch.Generator().manual_seed(1)
    for _ in range(STEPS):
        pixels = torch.randint(256, (case.batch, 3, case.size, case.size), generator=generator, dtype=torch.uint8)
        texts = [torch.randn(case.batch, TEXT, generator=generator).to(dtype) for _ in range(2)]
        valid, rows = torch.ones(case.batch, dtype=torch.bool), torch.arange(case.batch)
        images = pixels.contiguous(memory_format=torch.channels_last)
        yield Batch(images, texts[0], None, texts[1][:, None], valid, rows)


def ours(tiny, case, precision):
    """Our module after STEPS steps, what it was before them, and the record of them."""
    sizes = [
        "arch=pytorch", f"stage={case.stage}", f"scale.{case.stage}.batch_size={case.batch}", "scale.one.image_size=16",
        "scale.two.image_size=64", f"trainer.precision={precision}",
    ]  # fmt: skip
    config = tiny(*sizes)
    store = prepare_store(config)
    inputs = Inputs(store, random_table(len(store), TEXT))
    pl.seed_everything(0, verbose=False)
    below = None
    if case.stage == "two":
        below = TextToImage(build_module(tiny(*sizes, "stage=one"), inputs, 1000, None).generator)
    module = build_module(config, inputs, 1000, below)
    spread(module)
    start = {name: value.clone() for name, value in module.state_dict().items()}
    record = Recorder(module)
    dtype = torch.float64 if precision == "64-true" else torch.float32
    trainer = build_trainer(config, [record], [])
    trainer.fit(module, DataLoader(list(case_batches(case, dtype)), batch_size=None))
    return module, start, record


def spread(module):
    """Move every parameter away from the small initial weights, so that each one matters to the losses."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter)
        else:
            parameter.data += 0.1 * torch.randn_like(parameter)


def plain(case, module, start, dtype):
    """The baseline's step with the weights that our module began with."""
    step = arithmetic.plain_step(case)
    module.load_state_dict(start)
    if case.stage == "two":
        copy_weights(module.stage_one, step.generator.stage_one)
    copy_weights(module.generator, step.generator)
    copy_weights(module.discriminator, step.discriminator)
    return baseline.PlainStep(step.generator.to(dtype), step.discriminator.to(dtype))


@torch.no_grad()
def copy_weights(ours, plain):
    own = [p for name, p in plain.named_parameters() if not name.startswith("stage_one.")]
    for (name, source), target in zip(ours.named_parameters(), own, strict=True):
        target.data = by_channel(name, source).to(target.dtype).clone()
    sources = {name: b for name, b in ours.named_buffers() if "running" in name}
    targets = [b for name, b in plain.named_buffers() if "running" in name and not name.startswith("stage_one.")]
    for (name, source), target in zip(sources.items(), targets, strict=True):
        target.copy_(by_channel(name, source))


def by_channel(name, value):
    """The stem's features are ordered [4, 4, C] in ours and [C, 4, 4] in the baseline."""
    return value.unflatten(0, (16, -1)).transpose(0, 1).flatten(0, 1) if name.startswith("stem.") else value


def in_plain_order(network, values):
    return [by_channel(name, value) for (name, _), value in zip(network.named_parameters(), values, strict=True)]


def plain_batch(batch, noise, dtype):
    return baseline.PlainBatch(from_pixels(batch.images, dtype).contiguous(), batch.text, batch.wrong_text[:, 0], noise)


@pytest.mark.parametrize("stage", ["one", "two"])
def test_the_baseline_draws_scores_and_learns_as_ours_in_float32(tiny, stage):
    case = TINY[stage]
    module, start, record = ours(tiny, case, "32-true")
    step = plain(case, module, start, torch.float32)
    seen = []
    for optimizer in (step.discriminator_optimizer, step.generator_optimizer):
        optimizer.register_step_pre_hook(lambda optimizer, *_: seen.append(gradients(optimizer)))
    batch = plain_batch(next(case_batches(case, torch.float32)), record.noise[0], torch.float32)
    fakes = step.generator(batch.text, batch.noise).images
    torch.testing.assert_close(fakes, record.fakes[0], rtol=1e-4, atol=1e-5)
    with torch.no_grad():  # the weights of both are those of the start
        scores = module.discriminator(batch.images, module.generator.conditioning(batch.text, None).mean)
        logits = step.discriminator(batch.images, step.generator.conditioning(batch.text, torch.zeros(()))[1])
    torch.testing.assert_close([s for s in scores if s is not None], logits, rtol=1e-4, atol=1e-4)

    assert step(batch) == pytest.approx(record.losses[0], rel=1e-4)
    for network, expected, found in zip((module.discriminator, module.generator), record.gradients, seen, strict=False):
        for theirs, own in zip(found, in_plain_order(network, expected), strict=True):
            torch.testing.assert_close(theirs, own, rtol=1e-2, atol=1e-3 * float(own.abs().max()) + 1e-6)


@pytest.mark.parametrize("stage", ["one", "two"])
def test_several_steps_of_the_baseline_are_ours_to_the_last_digits_of_float64(tiny, stage):
    case = TINY[stage]
    module, start, record = ours(tiny, case, "64-true")
    trained = [
        [p.detach().clone() for p in network.parameters()] for network in (module.generator, module.discriminator)
    ]
    step = plain(case, module, start, torch.float64)
    for i, batch in enumerate(case_batches(case, torch.float64)):
        losses = step(plain_batch(batch, record.noise[i], torch.float64))
        assert losses == pytest.approx(record.losses[i], rel=1e-6)  # ours are averaged in float32
    generator = [p for p in step.generator.parameters() if p.requires_grad]
    for network, expected, found in zip(
        (module.generator, module.discriminator),
        trained,
        (generator, list(step.discriminator.parameters())),
        strict=True,
    ):
        for own, theirs in zip(in_plain_order(network, expected), found, strict=True):
            torch.testing.assert_close(theirs.detach(), own, rtol=1e-6, atol=1e-8)


def test_the_baseline_has_the_published_sizes():
    """docs/architectures.md, column pytorch."""
    with torch.device("meta"):
        one, two = arithmetic.plain_step(CASES["stage1"]), arithmetic.plain_step(CASES["stage2"])
    count = {
        "one G": sum(p.numel() for p in one.generator.parameters()),
        "one D": sum(p.numel() for p in one.discriminator.parameters()),
        "two G": sum(p.numel() for p in two.generator.parameters() if p.requires_grad),
        "two D": sum(p.numel() for p in two.discriminator.parameters()),
    }
    assert {name: round(n / 1e6, 2) for name, n in count.items()} == {
        "one G": 10.30, "one D": 5.72, "two G": 26.29, "two D": 71.27
    }  # fmt: skip


def layer(batch, kernel, in_channels, out_channels, side):
    """Operations of a convolution's forward pass; a product of a matrix where kernel and side are 1."""
    return 2 * batch * kernel**2 * in_channels * out_channels * side**2


def test_needed_operations_of_stage_one_are_those_of_its_layers():
    case = Case("x", "one", "paper", gf=8, df=8, size=16, batch=4, text_dim=10, condition_dim=6, stage_one_size=16)
    b, text, noise = case.batch, case.text_dim, 100
    first = layer(b, 1, text, 12, 1)
    rest = layer(b, 1, noise + 6, 16 * 64, 1)
    # folded: 4 products for each of the four output pixels of a small one
    rest += layer(b, 2, 64, 32, 8) + layer(b, 2, 32, 16, 16) + layer(b, 3, 16, 3, 16)
    trunk_first, trunk = layer(b, 4, 3, 8, 8), layer(b, 4, 8, 16, 4)
    of_features, of_text, head = layer(b, 3, 16, 16, 4), layer(b, 3, 6, 16, 4), layer(b, 1, 16 * 16, 1, 1)
    flop = arithmetic.needed(case)
    assert flop.generation == first + rest
    # forward, gradient of the weights, and of the inputs where something learns below; real pictures have two texts
    real = 2 * trunk_first + 3 * trunk + 3 * of_features + 2 * 2 * of_text + 2 * 3 * head
    fake = 2 * trunk_first + 3 * trunk + 3 * of_features + 2 * of_text + 3 * head
    assert flop.discriminator == real + fake
    # through the discriminator: forward and the gradient of its input; the generator: weights and inputs, no text below the first
    through = 2 * (trunk_first + trunk + of_features + head) + of_text
    assert flop.generator == through + first + 2 * rest


def test_the_baseline_needs_more_operations_and_ours_hardly_more_than_needed(tiny):
    for case in TINY.values():
        assert arithmetic.plain(case) > 1.25 * arithmetic.needed(case).total


def test_limits_are_rates_of_this_machine():
    found = limits.limit("fp32", patience=0.02)
    a = torch.randn(256, 256)
    seconds = limits.best_seconds(lambda: a @ a, "cpu")
    assert 0.2 < found.rate / (2 * 256**3 / seconds) < 50
    assert found.work.name


def test_ratios_are_of_neighbouring_repetitions():
    """What slows the machine for a while slows both."""
    case = TINY["one"]
    flop = arithmetic.needed(case).total
    times = StepTimes(case, ours=[1.0, 10.0, 2.0], plain=[2.0, 30.0, 8.0], rates=[4 * flop, 0.4 * flop, flop])
    result = times.result()
    assert result["stage1_step_ratio"] == 3.0
    assert result["stage1_percent_of_limit"] == pytest.approx(25)
    assert result["stage1_images_per_second"] == case.batch / 2


def test_the_bench_names_an_unknown_measure(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run.py", "--only", "stage3"])
    with pytest.raises(SystemExit):
        bench.main()
    assert "no measure is called stage3" in capsys.readouterr().err


def test_the_table_has_a_line_for_each_value():
    lines = bench.table({"ratio": 2.0, "memory": {"ours": {"peak": 3}}}).splitlines()
    assert [line.split() for line in lines] == [["ratio", "2.00"], ["memory.ours.peak", "3"]]
