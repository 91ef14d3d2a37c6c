"""What a W&B table, bar chart or parallel-coordinates plot of a study shows of a run: choices, outcome and scores in its summary.

The run's configuration is there too, but nested, and a W&B sweep over groups (`loss=wgan_gp`) replaces whole parts of it by
the choice's name. The summary has one flat value a question, the same for every way of starting a run.
"""

from collections.abc import Iterable

from pytorch_lightning.loggers import Logger

from stackgan.config import Config, Loss
from stackgan.run_directory import Status
from stackgan.tracking.wandb_run import WandbRun

Value = str | int | float


def choices(config: Config) -> dict[str, Value]:
    """The study's choices as they act, whatever the command line called them.

    `norm` is one word where both networks have the same, else `generator/discriminator`; `dropout` and `lr` are numbers
    (`lr` the generator's, `lr_ratio` the discriminator's over it).
    """
    norm = config.norm
    return {
        "variant": config.variant or "none",
        "stage": config.stage.name,
        "norm": norm.generator if norm.generator == norm.discriminator else f"{norm.generator}/{norm.discriminator}",
        "optim": config.optim.name,
        "loss": loss_label(config.loss),
        "dropout": config.dropout.rate,
        "lr": config.lr.generator,
        "lr_ratio": config.lr.discriminator / config.lr.generator,
        "seed": config.seed,
    }


def loss_label(loss: Loss) -> str:
    """The loss with what keeps its discriminator smooth: `bce`, `bce+r1`, `wgan+clip`, `wgan+gradient`."""
    constraint = loss.penalty if loss.penalty != "none" else "clip" if loss.clip is not None else ""
    return f"{loss.name}+{constraint}" if constraint else loss.name


def run_summary(config: Config, status: Status) -> dict[str, Value]:
    """The flat summary: `choice/*`, `status/*`, `provenance/*`, `score/*`, and `verdict/<name>`: images at which it first fired."""
    return {
        **{f"choice/{name}": value for name, value in choices(config).items()},
        "status/state": status.state,
        "status/reason": status.reason,
        "status/verdicts": ", ".join(verdict["name"] for verdict in status.verdicts) or "none",
        "status/images": status.images,
        "status/hours": status.seconds / 3600,
        "status/train_images": status.train_images,
        **{f"provenance/{name}": value for name, value in status.provenance.items() if value is not None},
        **{f"score/{metric}": value for metric, value in status.scores.items()},
        **{f"verdict/{verdict['name']}": verdict["images"] for verdict in status.verdicts},
    }


def send_summary(loggers: Iterable[Logger], config: Config, status: Status) -> None:
    """Write the summary of a run to its W&B run, if it has one."""
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.summarise(run_summary(config, status))
