"""Score a finished run on its test captions; every score goes to the run's evaluation.json with its protocol.

python src/evaluate.py run=<run folder>
python src/evaluate.py run=<run folder> samples=2000 seed=1
"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from stackgan.command_line import run_script, user_errors
from stackgan.errors import UserError


@hydra.main(version_base="1.3", config_path="../conf", config_name="evaluate")
def main(config: DictConfig) -> None:
    with user_errors():
        if config.run is None:
            raise UserError("no run: give run=<folder of a finished run>.")
        from stackgan.evaluation.record import describe
        from stackgan.evaluation.run_scores import ScoreRequest, score_run

        run = Path(config.run)
        keys = ("samples", "splits", "seed", "batch_size", "network", "inception_weights")
        records = score_run(run, ScoreRequest(cache=Path(config.cache), **{key: config[key] for key in keys}))
        print("\n".join(describe(record) for record in records))
        print(f"records: {run / 'evaluation.json'}")


if __name__ == "__main__":
    run_script(main, literal=("run", "cache", "inception_weights"))
