"""Make a study's page, in whatever state the study is: report.html (curves and pictures, one file) and report.md.

python src/report.py study=outputs/six_variants
python src/report.py study=outputs/runs                  all single runs
"""

from stackgan.cli.start import start  # isort: skip  (first: Ctrl-C is one line from here on)

import hydra
from omegaconf import DictConfig

from stackgan.cli.requests import REPORT, StudyRequest, request_of
from stackgan.cli.run import user_errors
from stackgan.errors import UserError
from stackgan.run_lookup import find_study


@hydra.main(version_base="1.3", config_path="../conf", config_name="report")
def main(composed: DictConfig) -> None:
    with user_errors():
        asked = request_of(composed, StudyRequest)
        if asked.study is None:
            raise UserError("no study: give study=<folder of a study>, for example study=outputs/runs.")
        from stackgan.reporting.page import study_folder, write_report

        html, markdown = write_report(study_folder(find_study(asked.study, asked.outputs)))
        print(f"page: {html}\ntable: {markdown}")


if __name__ == "__main__":
    start(main, REPORT, __doc__)
