"""The scores of a study or a run as a table: table.md and table.csv, from the records of evaluation.json alone.

python src/table.py study=outputs/six_variants
python src/table.py run=<run folder>
"""

from stackgan.cli.start import start  # isort: skip  (first: Ctrl-C is one line from here on)

import hydra
from omegaconf import DictConfig

from stackgan.cli.requests import TABLE, TableRequest, request_of
from stackgan.cli.run import user_errors
from stackgan.run_lookup import find_run, find_study, is_done


@hydra.main(version_base="1.3", config_path="../conf", config_name="table")
def main(composed: DictConfig) -> None:
    with user_errors():
        asked = request_of(composed, TableRequest)
        study = asked.study and find_study(asked.study, asked.outputs)
        folder = study or find_run(str(asked.run), asked.outputs, is_done)
        from stackgan.reporting.score_table import write_table

        table, markdown, csv = write_table(folder, alone=asked.run is not None)
        print(f"{table}\ntable: {markdown}\n       {csv}")


if __name__ == "__main__":
    start(main, TABLE, __doc__)
