"""One adversarial training step, phase by phase, the same for both stages.

Manual optimization: each step trains the discriminator, and every `n_critic`-th step the generator too. Progress is counted
in images, because Lightning's global_step counts the steps of both optimizers.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from stackgan.data.batches import Batch
from stackgan.losses.adversarial import AdversarialLoss, BinaryCrossEntropy
from stackgan.losses.kl import kl_divergence
from stackgan.losses.matching import matching_loss
from stackgan.networks.discriminator import Discriminator, Scores
from stackgan.networks.stage_one import GeneratorOutput, StageOneGenerator
from stackgan.networks.stage_two import StageTwoGenerator
from stackgan.networks.text_to_image import TextToImage, TextWhitener, from_pixels
from stackgan.training.augment import DRAWS, augment
from stackgan.training.averages import Averages
from stackgan.training.balance import ranking, slope_left
from stackgan.training.clock import Clock
from stackgan.training.ema import GeneratorEMA
from stackgan.training.gate import FiniteGate, passes_on
from stackgan.training.noise import NoiseSource
from stackgan.training.optimizers import OptimizerSettings, build_optimizer
from stackgan.training.schedule import LearningRateSchedule
from stackgan.training.strategy import share_statistics


@dataclass(frozen=True)
class StepSettings:
    """How a step is taken. Sizes in images; the defaults are the references'."""

    batch_size: int  # of all devices together
    seed: int = 0
    generator_optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    discriminator_optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: LearningRateSchedule = field(default_factory=LearningRateSchedule)
    clip_norm: float | None = None
    kl_weight: float = 2.0
    matching_discriminator: float = 0.0
    matching_generator: float = 0.0
    ema_half_life: float = 10_000
    augment: bool = False
    fresh_noise: bool = False
    measure_health: bool = True  # what the verdicts on the discriminator are given by
    accumulate: int = 1  # parts of a device's share of the batch, whose gradients are summed before an optimizer steps


class TextToImageGAN(pl.LightningModule):
    """Base of both stages; a stage says how it generates (`generate`) and what makes samples (`sampler`).

    Args:
        generator, discriminator: the networks that train.
        loss: the adversarial loss with its penalty.
        settings: how a step is taken.
        whitener: of the text, before every network.

    Attributes:
        images_seen: images shown to the discriminator so far, the x-axis of everything.
        step_count: steps so far.
        average: the averaged generator.
        gate: keeps values that are not finite out of the weights.
        lr_factor: on the scheduled learning rates of both networks.
        extra: plain values that checkpoints carry beside all this.
    """

    generator: StageOneGenerator | StageTwoGenerator
    discriminator: Discriminator

    def __init__(
        self,
        generator: StageOneGenerator | StageTwoGenerator,
        discriminator: Discriminator,
        loss: AdversarialLoss,
        settings: StepSettings,
        whitener: TextWhitener,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = generator, discriminator
        self.adversarial, self.settings, self.whitener = loss, settings, whitener
        self.ema = GeneratorEMA(generator, settings.ema_half_life)
        self.average = self.ema.average
        self.averages, self.clock = Averages(), Clock()
        self.images_seen = self.step_count = 0
        self.gate, self.lr_factor = FiniteGate(), 1.0
        self.extra: dict[str, Any] = {}
        self.noise = NoiseSource(settings.seed, settings.batch_size)
        self.ranks = 1

    def setup(self, stage: str) -> None:
        """Each rank draws its own share of the global batch's noise."""
        rank, self.ranks = self.trainer.global_rank, self.trainer.world_size
        self.noise = NoiseSource(self.settings.seed, self.settings.batch_size, rank, self.ranks)

    def on_train_start(self) -> None:
        """The networks are on their device by now."""
        self.gate.watch([self.generator, self.discriminator])

    # What a stage fills in.

    def generate(self, text: Tensor, noise: Tensor) -> GeneratorOutput:
        """Pictures with the live generator. text [B, T] whitened, noise [B, sampler().noise_size]."""
        raise NotImplementedError

    def sampler(self) -> TextToImage:
        """The averaged generator as a function of text and noise."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> "TextToImageGAN":
        """The average stays in eval mode whatever the rest does."""
        super().train(mode)
        self.average.eval()
        return self

    # One step.

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """Train the discriminator on one batch, and when it is its turn the generator."""
        self._set_learning_rates()
        self.gate.begin()
        batch.text = self.whitener(batch.text)
        if batch.wrong_text is not None:
            batch.wrong_text = self.whitener(batch.wrong_text)
        generator_turn = (self.step_count + 1) % self.adversarial.n_critic == 0
        parts = batch.split(self.settings.accumulate)
        # One part's fakes serve both steps; the graphs of several would need the memory that parts are there to save.
        kept = [self._fakes(parts[0], generator_turn)] if len(parts) == 1 and not self.settings.fresh_noise else None

        self._discriminator_step(parts, kept or (self._fakes(part, graph=False) for part in parts))
        if generator_turn:
            if kept is None:
                # autocast remembers the weights it cast without a graph just now; reused, they would get no gradient
                torch.clear_autocast_cache()
            self._generator_step(parts, kept or (self._fakes(part, graph=True) for part in parts))

        self.gate.end()
        if self.ranks > 1:
            share_statistics([self.generator, self.discriminator])
        self.step_count += 1
        self.images_seen += self.settings.batch_size
        if generator_turn:
            images = self.adversarial.n_critic * self.settings.batch_size
            self.ema.update(self.generator, self.images_seen, images, self.gate.open)

    def _fakes(self, batch: Batch, graph: bool) -> GeneratorOutput:
        """Pictures of the batch's captions; with a graph for the generator's step, which has noise of its own where so configured."""
        purpose = "generator" if graph and self.settings.fresh_noise else "discriminator"
        with torch.set_grad_enabled(graph):
            return self.generate(batch.text, self._noise(purpose)[batch.part])

    def _discriminator_step(self, parts: list[Batch], fakes: Iterable[GeneratorOutput]) -> None:
        losses = (self._discriminator_loss(part, fake) for part, fake in zip(parts, fakes, strict=True))
        self._update("discriminator", losses, len(parts))
        self.adversarial.after_critic_step(self.discriminator)

    def _generator_step(self, parts: list[Batch], fakes: Iterable[GeneratorOutput]) -> None:
        losses = (self._generator_loss(part, fake) for part, fake in zip(parts, fakes, strict=True))
        self._update("generator", losses, len(parts))

    def _discriminator_loss(self, batch: Batch, fake: GeneratorOutput) -> Tensor:
        discriminator, loss, settings = self.discriminator, self.adversarial, self.settings
        images, fakes = from_pixels(batch.images, self.weight_dtype), fake.images.detach()
        condition = self._condition(batch.text, fake)

        features, fake_features = self._features(
            self._augmented(images, "real", batch), self._augmented(fakes, "fake", batch)
        )
        real = discriminator.score(features, condition)
        wrong = self._wrong_scores(batch, features, condition)
        fakes_scores = discriminator.score(fake_features, condition)
        value = loss.critic(real, wrong, fakes_scores, batch.wrong_valid)
        self._observe("loss/d", value)
        value = value + self._matching("d", settings.matching_discriminator, real, wrong, batch)
        if loss.penalty_every and self.step_count % loss.penalty_every == 0:
            shares = self.noise.uniform("penalty", self.step_count, 1)[batch.part, 0]
            penalty = loss.penalty(discriminator, images, fakes, condition, shares)
            self._observe("loss/penalty", penalty)
            value = value + penalty

        self._observe("d/real", self._judgement(real))
        self._observe("d/fake", self._judgement(fakes_scores))
        if settings.measure_health:
            self._observe("health/discriminator_wins", slope_left(loss, fakes_scores.conditional))
            self._observe("health/generator_wins", ranking(real.conditional, fakes_scores.conditional))
        if wrong is not None:
            self._observe("d/wrong", self._judgement(wrong))
        self._observe("pairs/no_mismatch", (~batch.wrong_valid).float().mean())
        return value

    def _generator_loss(self, batch: Batch, fake: GeneratorOutput) -> Tensor:
        settings = self.settings
        condition = self._condition(batch.text, fake)
        with frozen(self.discriminator):
            features = self.discriminator.features(self._augmented(fake.images, "generator", batch))
            scores = self.discriminator.score(features, condition)
            wrong = self._wrong_text_scores(batch, features) if settings.matching_generator else None
        adversarial = self.adversarial.generator(scores)
        divergence = kl_divergence(fake.condition.mean, fake.condition.log_variance)
        matching = self._matching("g", settings.matching_generator, scores, wrong, batch)
        self._observe("loss/g", adversarial)
        self._observe("loss/kl", divergence)
        return adversarial + matching + settings.kl_weight * divergence

    def _features(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The discriminator's features of both, in one pass unless its norm would mix them."""
        if self.discriminator.norm == "batch":
            return self.discriminator.features(real), self.discriminator.features(fake)
        both = self.discriminator.features(torch.cat([real, fake.to(real.dtype)]))
        return both[: len(real)], both[len(real) :]

    def _matching(self, network: str, weight: float, right: Scores, wrong: Scores | None, batch: Batch) -> Tensor:
        """The weighted loss of telling the right caption from the wrong ones, 0 where it is off."""
        if wrong is None or not weight:
            return right.conditional.new_zeros(())
        value = matching_loss(right.conditional, wrong.conditional, batch.wrong_valid)
        self._observe(f"loss/matching_{network}", value)
        return weight * value

    def _wrong_scores(self, batch: Batch, features: Tensor, condition: Tensor) -> Scores | None:
        """Scores of pairs that do not match: the picture with other texts, or another picture with the text."""
        if batch.wrong_images is not None:
            images = from_pixels(batch.wrong_images, self.weight_dtype)
            return self.discriminator(self._augmented(images, "wrong", batch), condition)
        return self._wrong_text_scores(batch, features)

    def _wrong_text_scores(self, batch: Batch, features: Tensor) -> Scores | None:
        """Scores of each picture's features [B, F, 4, 4] with each of its K wrong texts, [B K]."""
        if batch.wrong_text is None:
            return None
        return self.discriminator.score(features, self._condition(batch.wrong_text.flatten(0, 1)))

    def _condition(self, text: Tensor, fake: GeneratorOutput | None = None) -> Tensor:
        """What the discriminator reads: the embedding, or (PyTorch reference) the generator's mean, detached."""
        if self.discriminator.condition_source == "text":
            return text
        if fake is not None:
            return self.discriminator.select_condition(text, fake.condition)
        with torch.no_grad():
            mean: Tensor = self.generator.conditioning(text, None).mean
        return mean

    def _augmented(self, images: Tensor, purpose: str, batch: Batch) -> Tensor:
        if not self.settings.augment:
            return images
        return augment(images, self.noise.uniform(f"augment {purpose}", self.step_count, DRAWS)[batch.part])

    def _noise(self, purpose: str) -> Tensor:
        noise = self.noise.normal(purpose, self.step_count, self.noise_size)
        return noise.to(self.device, self.weight_dtype, non_blocking=True)

    @property
    def noise_size(self) -> int:
        """Length of a picture's noise vector."""
        return self.sampler().noise_size

    @property
    def weight_dtype(self) -> torch.dtype:
        """float32, or float64 under trainer.precision=64-true."""
        return next(self.generator.parameters()).dtype

    # Optimizers.

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Discriminator first, generator second."""
        return [
            build_optimizer(self.discriminator.parameters(), self.settings.discriminator_optimizer),
            build_optimizer(self.generator.parameters(), self.settings.generator_optimizer),
        ]

    def _optimizer(self, network: str) -> Any:
        return self.optimizers()[("discriminator", "generator").index(network)]  # type: ignore[index]

    def _set_learning_rates(self) -> None:
        factor = self.lr_factor * self.settings.schedule.factor(self.images_seen)
        for optimizer in self.optimizers():  # type: ignore[union-attr]
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor

    def _update(self, network: str, losses: Iterable[Tensor], parts: int) -> None:
        """A step on the mean of the losses; each is made only once the one before has gone backward, so one graph lives at a time."""
        optimizer = self._optimizer(network)
        optimizer.zero_grad(set_to_none=True)
        for loss in losses:
            self.manual_backward(passes_on(loss / parts))
        optimizer.step()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Measure, clip and let through here: with several devices the gradients are averaged by now."""
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if self.settings.clip_norm is not None:
            norm = nn.utils.clip_grad_norm_(parameters, self.settings.clip_norm)
        else:
            norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        network = int(optimizer is self._optimizer("generator").optimizer)
        self.gate.admit(optimizer, norm, network, self.images_seen, self.step_count)
        self._observe(f"grad_norm/{'dg'[network]}", norm)

    def _judgement(self, scores: Scores) -> Tensor:
        """D(x) as people quote it: a probability under binary cross entropy, else the score itself."""
        logits = scores.conditional
        return (logits.sigmoid() if isinstance(self.adversarial, BinaryCrossEntropy) else logits).mean()

    def _observe(self, name: str, value: Tensor) -> None:
        self.averages.add(name, value)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for the network's weights meanwhile: the generator's step needs those of its input only."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
