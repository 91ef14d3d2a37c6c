"""From a study's folder to report.html and report.md, whatever state the study is in."""

from datetime import datetime
from pathlib import Path

from stackgan.data.files import replacing
from stackgan.errors import UserError
from stackgan.reporting.page.collect import read_study, run_folders
from stackgan.reporting.page.compare import groups
from stackgan.reporting.page.html import page_html
from stackgan.reporting.page.markdown import page_markdown
from stackgan.reporting.page.sheets import MOST, Album, make_album

LIMIT = 20_000_000  # bytes of report.html
RESERVE, FRAME = 200_000, 200  # bytes that pictures need besides themselves: in all, and each

TRAINED = ("status.json", "metrics.csv")  # what only a run leaves; config.yaml is a name that others use as well


def study_folder(folder: Path) -> Path:
    """The folder, if it is one of a study or of runs. Raises UserError otherwise."""
    if not folder.is_dir():
        raise UserError(f"study={folder} is no folder; give a study's, for example study=outputs/six_variants.")
    if any((folder / name).is_file() for name in TRAINED):
        raise UserError(f"study={folder} is one run; give the folder it lies in: study={folder.resolve().parent}.")
    if not (folder / "study.json").is_file() and not list(run_folders(folder)):
        raise UserError(
            f"study={folder} holds neither study.json nor a run; give a study's folder, for example study=outputs/runs."
        )
    return folder


def write_report(study: Path) -> tuple[Path, Path]:
    """Write report.html and report.md into a study's folder, each in one step. Returns their paths.

    The study may be in any state; what cannot be read is said on the page. Raises OSError if the folder cannot be written.
    """
    record = read_study(study)
    compared = groups(record.runs)
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    without = page_html(record, compared, Album([]), made)
    frames = sum(min(MOST, len(run.samples)) for run in record.runs)
    room = LIMIT - RESERVE - FRAME * frames - len(without.encode("utf-8", "replace"))
    try:
        album = make_album(record.runs, study, room)
    except Exception as error:  # pictures are the riskiest part; a page without them is better than none
        album = Album([])
        record.problems.append(f"The sample pictures could not be packed ({type(error).__name__}: {error}).")
    pages = {
        study / "report.html": page_html(record, compared, album, made),
        study / "report.md": page_markdown(record, compared, made),
    }
    for path, page in pages.items():
        with replacing(path) as temporary:
            temporary.write_bytes(page.encode("utf-8", "replace"))
    return study / "report.html", study / "report.md"
