"""Score a run, a study's runs, or a folder of pictures; every score goes to evaluation.json with its protocol.

python src/evaluate.py run=<run folder>
python src/evaluate.py run=<run folder> samples=30000 devices=2         killed, the same command goes on where it was
python src/evaluate.py study=<folder of runs>                           every finished run in it
python src/evaluate.py images=<folder> data=cub data.root=<CUB folder>  pictures from elsewhere
"""

from stackgan.cli.start import start  # isort: skip  (first: Ctrl-C is one line from here on)

import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from stackgan.cli.requests import EVALUATE, EvaluateRequest, request_of
from stackgan.cli.run import BAD_INPUT, user_errors
from stackgan.config import Config, saved_config, typed
from stackgan.errors import UserError
from stackgan.evaluation.picture_files import list_images
from stackgan.evaluation.request import ScoreRequest
from stackgan.preflight import check_inputs
from stackgan.run_lookup import check_generator, find_generator, find_study
from stackgan.tracking.checks import require_wandb_run

if TYPE_CHECKING:
    from stackgan.data.image_files import BadImages
    from stackgan.evaluation.run_scores import Scored

SUBJECTS = ("run", "study", "images")
OTHERS = (*SUBJECTS, "wandb", "data", "text", "outputs")


@hydra.main(version_base="1.3", config_path="../conf", config_name="evaluate")
def main(composed: DictConfig) -> None:
    with user_errors():
        asked = request_of(composed, EvaluateRequest)
        check(asked)
        request = ScoreRequest.of({key: value for key, value in vars(asked).items() if key not in OTHERS})
        request.check_network()
        if asked.images is not None:
            evaluate_images(Path(asked.images), data_config(asked.cache), request)
        elif asked.run is not None:
            evaluate_run(find_generator(asked.run, asked.outputs, asked.weights), request, asked.wandb)
        else:
            evaluate_study(find_study(str(asked.study), asked.outputs), request, asked.wandb)


def check(asked: EvaluateRequest) -> None:
    """Refuse what cannot be meant."""
    given = [key for key in SUBJECTS if getattr(asked, key) is not None]
    if len(given) != 1:
        what = "no run" if not given else f"{' and '.join(given)} at once"
        raise UserError(f"{what}: give one of run=<run folder>, study=<folder of runs>, images=<folder of pictures>.")
    overrides = [override.partition("=")[0] for override in HydraConfig.get().overrides.task]
    foreign = [key for key in overrides if key.partition(".")[0] in ("data", "text", "size", "bad_images")]
    if foreign and given != ["images"]:
        raise UserError(f"{foreign[0]} belongs to images=; the data set and picture size of a run are its own.")
    if asked.wandb and asked.images is not None:
        raise UserError("wandb=true belongs to run= or study=; a folder of pictures has no W&B run.")


def data_config(cache: str | None) -> Config:
    """The training configuration with the data set and the text encoder that were asked for."""
    groups = ("data", "text")
    chosen = [f"{group}={choice}" for group, choice in HydraConfig.get().runtime.choices.items() if group in groups]
    keys = [o for o in HydraConfig.get().overrides.task if o.partition("=")[0].partition(".")[0] in groups and "." in o]
    found = typed(hydra.compose("config", [*chosen, *keys]))
    if cache:
        found.data.cache = cache
    return found


def evaluate_images(folder: Path, config: Config, request: ScoreRequest) -> None:
    """Score a folder of pictures and show the records; what can be missing is looked for first."""
    found = list_images(folder, request.samples, cast("BadImages", request.bad_images))
    request.enough(len(found.files), f"the number of pictures in {folder}")
    check_inputs(config)
    from stackgan.evaluation.run_scores import score_images  # imports torch

    show(score_images(folder, config, request, found))


def evaluate_run(run: Path, request: ScoreRequest, wandb: bool) -> None:
    """Score one run and show the records."""
    config = saved_config(run)
    check_generator(run, request.weights)
    if wandb:
        require_wandb_run(run, config.logger.wandb)
    from stackgan.evaluation.run_scores import score_run

    scored = score_run(run, request)
    show(scored)
    if wandb:
        from stackgan.evaluation.record import summary
        from stackgan.tracking.wandb_scores import send_scores

        send_scores(run, summary(scored.records))


def evaluate_study(study: Path, request: ScoreRequest, wandb: bool) -> None:
    """Score every finished run of a folder; one that cannot be scored is named and does not stop the others."""
    from stackgan.run_directory import read_status

    if not study.is_dir():
        raise UserError(f"study={study} is no folder; give a study's, for example study=outputs/runs.")
    statuses = {path: read_status(path) for path in sorted(study.iterdir()) if (path / "config.yaml").is_file()}
    finished = [path for path, status in statuses.items() if status is not None and status.state == "done"]
    if not finished:
        raise UserError(f"study={study} holds no finished run ({len(statuses)} runs in all).")
    failed = 0
    for number, run in enumerate(finished, 1):
        print(f"[{number}/{len(finished)}] {run.name}", flush=True)
        try:
            evaluate_run(run, request, wandb)
        except UserError as error:
            failed += 1
            print(error, file=sys.stderr)
    for path in statuses.keys() - set(finished):
        status = statuses[path]
        print(f"not scored: {path.name} ({status.state if status else 'no status.json'})")
    if failed:
        sys.exit(BAD_INPUT)


def show(scored: "Scored") -> None:
    """Records, notes, and where they are."""
    from stackgan.evaluation.record import describe

    print("\n".join([*(describe(record) for record in scored.records), *scored.notes]))
    print(f"records: {scored.folder / 'evaluation.json'}")


if __name__ == "__main__":
    start(main, EVALUATE, __doc__)
