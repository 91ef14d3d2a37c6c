"""Make a study's page, in whatever state the study is: report.html (curves and pictures, one file) and report.md.

python src/report.py study=outputs/six_variants
python src/report.py study=outputs/runs                  all single runs
"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from stackgan.command_line import run_script, user_errors
from stackgan.errors import UserError


@hydra.main(version_base="1.3", config_path="../conf", config_name="report")
def main(config: DictConfig) -> None:
    with user_errors():
        if config.study is None:
            raise UserError("no study: give study=<folder of a study>, for example study=outputs/runs.")
        from stackgan.reporting.page import study_folder, write_report

        html, markdown = write_report(study_folder(Path(config.study)))
        print(f"page: {html}\ntable: {markdown}")


if __name__ == "__main__":
    run_script(main, "report", __doc__, literal=("study",))
