"""The study page: report.html and report.md, made from what a study's folder holds. No torch; never stops at an odd folder.

`write_report` reads the folder (`collect`), groups what may be compared (`compare`), thins curves (`curves`), packs sample
pictures (`sheets`) and fills the templates (`html`, `markdown`).
"""

from stackgan.reporting.page.report import study_folder, write_report

__all__ = ["study_folder", "write_report"]
