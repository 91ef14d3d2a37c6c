"""What states, verdicts and columns mean, in a sentence each: the page explains itself."""

from stackgan.health.verdicts import RULES

STATE_MEANINGS = {
    "running": "Being trained now.",
    "done": "Trained to its budget and scored.",
    "diverged": "A loss, gradient or weight stopped being a finite number, or ran away; training ended there.",
    "collapsed": "Stopped because its pictures lost their variety.",
    "preempted": "Stopped from outside after saving; the same command goes on.",
    "interrupted": "Its process ended without a word (killed, out of memory, power); the same command goes on.",
    "skipped": "Not started, because what it stands on did not finish.",
    "failed": "Ended with an error.",
    "waiting": "Its turn has not come.",
    "unknown": "The folder does not say.",
}
STATE_SIGNS = {
    "running": "▸", "done": "✓", "diverged": "✕", "collapsed": "✕", "preempted": "‖", "interrupted": "‖",
    "skipped": "-", "failed": "!", "waiting": "○", "unknown": "?",
}  # fmt: skip
VERDICT_MEANINGS = {rule.name: rule.meaning for rule in RULES.values()}
BROKEN = ("diverged", "collapsed", "failed", "interrupted", "preempted")  # states of a run that ended before its budget

SECTIONS = {  # prefix of a column of metrics.csv: heading of its charts
    "loss": "Losses",
    "d": "Discriminator's judgement",
    "grad_norm": "Gradient norms",
    "health": "Health",
    "lr": "Learning rate and speed",
    "images_per_second": "Learning rate and speed",
}
COLUMN_MEANINGS = {
    "loss/d": "discriminator's loss",
    "loss/g": "generator's loss",
    "loss/kl": "divergence of the conditioning from N(0, 1)",
    "loss/penalty": "gradient penalty",
    "d/real": "of matching pairs",
    "d/wrong": "of real pictures with wrong captions",
    "d/fake": "of generated pictures",
    "grad_norm/d": "discriminator",
    "grad_norm/g": "generator",
    "lr/d": "discriminator",
    "lr/g": "generator",
    "images_per_second": "training alone",
    **{f"health/{name}": meaning for name, meaning in VERDICT_MEANINGS.items()},
}


def stage_title(stage: str) -> str:
    """Stage I, Stage II, or that it is not known."""
    return {"one": "Stage I", "two": "Stage II"}.get(stage, "Stage not known")
