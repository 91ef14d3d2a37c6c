"""Which of a run's generators is judged: the averaged one, the live one, or the best on validation captions."""

from dataclasses import replace
from pathlib import Path

from stackgan.errors import UserError
from stackgan.run_lookup import check_generator
from stackgan.training.bundle import GeneratorBundle, load_bundle
from stackgan.training.checkpoint import newest_checkpoint

LIVE = "generator."  # where a checkpoint has the weights that training moves


def chosen_bundle(run: Path, weights: str) -> GeneratorBundle:
    """The run's generator: `ema` its bundle, `best` the bundle in generator_best/, `raw` the newest checkpoint's live weights.

    Raises UserError where the run has no such generator.
    """
    check_generator(run, weights)
    folder = run / ("generator_best" if weights == "best" else "generator")
    bundle = load_bundle(folder)
    return _with_live_weights(bundle, run / "checkpoints") if weights == "raw" else bundle


def _with_live_weights(bundle: GeneratorBundle, checkpoints: Path) -> GeneratorBundle:
    found = newest_checkpoint(checkpoints)
    if found is None:
        raise UserError(f"weights=raw needs a checkpoint, and {checkpoints} has none; use weights=ema.")
    module, sampler = found.checkpoint["module"], bundle.sampler
    network = sampler.stage_one if sampler.stage_two is None else sampler.stage_two
    network.load_state_dict({name[len(LIVE) :]: value for name, value in module.items() if name.startswith(LIVE)})
    sampler.eval()
    return replace(bundle, images=int(found.checkpoint["images_seen"]))
