"""A run in words and short numbers, for the tables of the page and of report.md."""

import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from stackgan.cadence import warm_up_images
from stackgan.cli.spelling import shown
from stackgan.evaluation.registry import kind_of, whole_name
from stackgan.evaluation.words import left_out_in_words
from stackgan.reporting.page.collect import RunRecord, Verdict
from stackgan.reporting.page.files import number, text
from stackgan.reporting.page.words import BROKEN, VERDICT_MEANINGS


@dataclass(frozen=True)
class Choices:
    """The study's five groups as short texts."""

    norm: str
    optim: str
    loss: str
    dropout: str
    lr: str


def choices(run: RunRecord) -> Choices:
    """What a run's configuration chose; "" where it has none."""
    config = {key: text(value) for key, value in run.config.items()}
    if not config:
        return Choices("", "", "", "", "")
    norms = [config.get("norm.generator", ""), config.get("norm.discriminator", "")]
    dropout = number(config.get("dropout.rate")) or 0.0
    return Choices(
        norm=norms[0] if norms[0] == norms[1] else " / ".join(norms),
        optim=config.get("optim.name", ""),
        loss=_loss(config),
        dropout=f"{dropout:g}" if dropout else "off",
        lr=_learning_rate(config),
    )


def _loss(config: dict[str, str]) -> str:
    parts = [config.get("loss.name", "")]
    if config.get("loss.penalty", "none") not in ("none", ""):
        parts.append(f"+ {config['loss.penalty']}")
    if number(config.get("loss.clip")):
        parts.append(f"clip {config['loss.clip']}")
    return " ".join(parts)


def _learning_rate(config: dict[str, str]) -> str:
    rates = [short(number(config.get(f"lr.{part}"))) for part in ("generator", "discriminator")]
    schedule = ""
    if number(config.get("lr.halve_every_epochs")):
        schedule = f", halved every {config['lr.halve_every_epochs']} epochs"
    elif config.get("lr.cosine") == "True":
        schedule = ", cosine"
    return (rates[0] if rates[0] == rates[1] else " / ".join(rates)) + schedule


def short(value: float | None) -> str:
    """A number in four digits: 0.0002 is 2e-4; "" for None."""
    if value is None:
        return ""
    if value and abs(value) < 0.01:
        mantissa, _, exponent = f"{value:.3e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def measured(value: float, std: float | None) -> tuple[str, str]:
    """A value and its deviation as texts: the deviation in two digits, the value as far as those go."""
    if std is None or std <= 0 or not math.isfinite(std):
        return short(value), "" if std is None else short(std)
    decimals = max(0, 1 - math.floor(math.log10(std)))
    if decimals > 5:
        return short(value), short(std)
    return f"{value:,.{decimals}f}", f"{std:,.{decimals}f}"


def duration(seconds: float) -> str:
    """Hours and minutes: 1:05; seconds below a minute."""
    if seconds <= 0:
        return ""
    return f"{seconds:.0f} s" if seconds < 60 else f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}"


def epochs(run: RunRecord) -> float | None:
    """Passes over the training pictures; None where their number is not recorded."""
    return run.images / run.train_images if run.train_images else None


def explain(verdict: Verdict) -> str:
    """What a verdict means and when it was seen, without its name. The monitor's sentence has its numbers; without one they follow."""
    sentence = verdict.sentence or VERDICT_MEANINGS.get(verdict.name, "")
    if not verdict.sentence and verdict.value is not None:
        limit = f", threshold {short(verdict.threshold)}" if verdict.threshold is not None else ""
        sentence += f" ({short(verdict.value)}{limit})"
    parts = [_sentence(sentence)]
    if verdict.images is not None:
        until = "on" if verdict.until is None else f"until {verdict.until:,}"
        parts.append(f"Seen from {verdict.images:,} images {until}.")
    return " ".join(part for part in parts if part)


def brief(verdict: Verdict) -> str:
    """What was seen, without numbers and remedy, and since when: what a table has room for."""
    seen = explain(verdict).partition(". ")[0].partition(": ")[0].rstrip(".")
    return seen + (f", from {verdict.images:,} images" if verdict.images is not None else "")


def reason(run: RunRecord) -> str:
    """Why a run is in its state, as a sentence; "" where nobody said."""
    return _sentence(run.reason)


def why_not(run: RunRecord, metric: str, captions: str = "validation") -> str:
    """Why a run has no such score, in a few words; "" where nobody said."""
    kind = kind_of(metric)
    return run.left_out.get(whole_name(kind.name, captions), "") if kind else ""


def not_taken(run: RunRecord) -> str:
    """The scores that were due and not taken, with their reasons, as a sentence; "" where all were."""
    return f"Scores not taken: {left_out_in_words(run.left_out)}." if run.left_out else ""


def ended_by(run: RunRecord) -> str:
    """The verdict that the reason tells of; "" where it tells of none."""
    told = (verdict.name for verdict in run.verdicts if verdict.sentence and verdict.sentence in run.reason)
    return next(told, "")


def brief_reason(run: RunRecord) -> str:
    """The reason where no verdict says it: its first sentence, without the folder's name and remedies of the Stage I below."""
    words = "" if ended_by(run) else " ".join(run.reason.split()).partition(". ")[0].rstrip(" .:")
    if run.state == "skipped":
        words = re.split(r": (?=[A-Z])", re.sub(r",? \S+-[0-9a-f]{8},", "", words))[0]
    return words


def _sentence(words: str) -> str:
    words = words.strip().rstrip(" .:")
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def judgement(run: RunRecord) -> str:
    """Reason and verdicts in full."""
    told = [f"{verdict.name}: {explain(verdict)}" for verdict in run.verdicts]
    return " ".join(part for part in (reason(run), *told) if part)


def broke(run: RunRecord) -> int | None:
    """Images at which a run ended before its time, or at which something was first seen to go wrong."""
    seen = [verdict.images for verdict in run.verdicts if verdict.images is not None]
    if seen:
        return min(seen)
    return run.images if run.state in BROKEN else None


def without_verdict(run: RunRecord) -> str:
    """What it means that a finished run has no verdict."""
    measured = any(key.startswith("health/") for row in run.rows for key in row)
    if text(run.config.get("health.policy")) == "off" or not measured:  # a skipped update is seen in any case
        return "health was not measured"
    warm_up = warm_up_images(number(run.config.get("health.warm_up")) or 0.0, run.budget)
    if run.images <= warm_up:
        return f"too short to judge: verdicts count after {warm_up:,} images"
    return "nothing seen to go wrong"


def command(run: RunRecord) -> str:
    """The command that makes the run again, or goes on with it; "" where its choices are not recorded."""
    if not run.overrides and not run.config:
        return ""
    alone = ["hydra.mode=RUN"] if any(override.startswith("sweep=") for override in run.overrides) else []
    return shell(["python", "src/train.py", *run.overrides, *alone])


def shell(arguments: Sequence[str]) -> str:
    """Arguments as one line for a shell, with as few quotes as will do."""
    return " ".join(_quoted(argument) for argument in arguments)


def _quoted(argument: str) -> str:
    argument = shown(argument)
    quoted = shlex.quote(argument)
    if quoted.count("'") > 2 and not any(c in argument for c in '"$`\\!\n'):
        return f'"{argument}"'
    return quoted
