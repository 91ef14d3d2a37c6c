"""The scores of a study or a run as a table: table.md and table.csv, from the records of evaluation.json alone.

python src/table.py study=outputs/six_variants
python src/table.py run=<run folder>
"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from stackgan.command_line import run_script, user_errors
from stackgan.errors import UserError


@hydra.main(version_base="1.3", config_path="../conf", config_name="table")
def main(config: DictConfig) -> None:
    with user_errors():
        if (config.study is None) == (config.run is None):
            raise UserError("give one of study=<folder of runs> and run=<run folder>.")
        from stackgan.reporting.score_table import write_table

        folder = Path(config.study or config.run)
        table, markdown, csv = write_table(folder, alone=config.run is not None)
        print(f"{table}\ntable: {markdown}\n       {csv}")


if __name__ == "__main__":
    run_script(main, "table", __doc__, literal=("study", "run"))
