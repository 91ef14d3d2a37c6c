"""report.html: the template filled with tables, and with the data of its curves and pictures as JSON."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stackgan.reporting.page import rows, words
from stackgan.reporting.page.answer import Answer, answer
from stackgan.reporting.page.collect import RunRecord, Study
from stackgan.reporting.page.compare import Group, differences
from stackgan.reporting.page.curves import charts, points_each
from stackgan.reporting.page.leaderboard import leaderboard
from stackgan.reporting.page.sheets import LADDER, Album, Gallery

TEMPLATES = "stackgan.reporting.page"
SCRIPTS = ("page.js", "curves.js", "pictures.js", "answer.js")


def page_html(study: Study, compared: Sequence[Group], album: Album, made: str) -> str:
    """The whole page: one file without any reference to the outside."""
    runs = [run for group in compared for run in group.runs]
    labels = list(dict.fromkeys(run.label for run in runs))
    stages = list(dict.fromkeys(run.stage for run in runs))
    most = points_each(compared)
    numbers = {run.key: i for i, run in enumerate(runs)}
    answers = [answer(group) for group in compared]
    data = {
        "labels": labels,
        "seeds": sorted({run.seed for run in runs} - {""}),
        "stages": [{"stage": stage, "title": words.stage_title(stage)} for stage in stages],
        "runs": [_run(run, labels) for run in runs],
        "tables": [_table(group) for group in compared],
        "charts": [
            {"stage": group.stage, "group": group.title, **chart}
            for group in compared
            for chart in charts(group, numbers, most)
        ],
        "galleries": [_gallery(gallery, numbers) for gallery in album.galleries],
        "strips": [
            _strip(group, found, album.galleries, numbers) for group, found in zip(compared, answers, strict=True)
        ],
        "pictures": _pictures(album),
    }
    template = _environment().get_template("page.html")
    return template.render(
        study=study, groups=compared, runs=runs, labels=labels, album=album, made=made, rows=rows, words=words, answers=answers,
        states=Counter(run.state for run in runs), versions=_values_of(runs, "versions"),
        provenance=_values_of(runs, "provenance"), leaderboard=leaderboard,
        differences=differences(runs),
        thinned=[gallery for gallery in album.galleries if len(gallery.positions) < len(gallery.times)],
        coarse=album.fineness != LADDER[0], most=most, longest=max((len(run.rows) for run in runs), default=0),
        data=as_json(data), sheets=as_json(album.sheets), number=numbers,
        css=_asset("page.css"), js=Markup("\n").join(map(_asset, SCRIPTS)),
    )  # fmt: skip


def as_json(values: Any) -> Markup:
    """JSON that can stand in a script element whatever texts it holds."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _run(run: RunRecord, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "key": run.key, "label": labels.index(run.label), "seed": run.seed, "stage": run.stage, "state": run.state,
        "images": run.images, "budget": run.budget, "seconds": run.seconds, "speed": run.images_per_second,
        "broken": run.state in words.BROKEN, "broke": rows.broke(run), "verdicts": [verdict.name for verdict in run.verdicts],
    }  # fmt: skip


def _table(group: Group) -> dict[str, Any]:
    return {
        "stage": group.stage,
        "columns": [
            {
                "metric": column.protocol.metric,
                "protocol": column.protocol.sentence,
                "best": column.best,
                "scores": {key: score.__dict__ for key, score in column.scores.items()},
            }
            for column in group.columns
        ],
    }


def _gallery(gallery: Gallery, numbers: dict[str, int]) -> dict[str, Any]:
    return {
        "stage": gallery.stage,
        "captions": gallery.captions,
        "noises": gallery.noises,
        "cell": gallery.cell,
        "positions": gallery.positions,
        "real": gallery.real,
        "runs": [
            {
                "run": numbers[run.key],
                "frames": [frame.sheet if frame else None for frame in gallery.frames.get(run.key, [])],
            }
            for run in gallery.runs
        ],
    }


def _pictures(album: Album) -> list[dict[str, Any]]:
    """What each sheet shows: images seen, and the grid's own file; nothing for sheets of real pictures."""
    found: list[dict[str, Any]] = [{} for _ in album.sheets]
    for gallery in album.galleries:
        for frames in gallery.frames.values():
            for frame in frames:
                if frame:
                    found[frame.sheet] = {"images": frame.images, "file": frame.file}
    return found


def _strip(group: Group, found: Answer, galleries: Sequence[Gallery], numbers: dict[str, int]) -> dict[str, Any] | None:
    """Which gallery has the pictures that stand for most settings, and which runs they are; runs with other captions are left out."""
    shown = [standing.shown for standing in found.ranking if standing.shown]
    fitting = {
        i: [run.key for run in shown if run in gallery.runs]
        for i, gallery in enumerate(galleries)
        if gallery.stage == group.stage and gallery.captions
    }
    best = max(fitting, key=lambda i: len(fitting[i]), default=None)
    return None if best is None else {"gallery": best, "runs": [numbers[key] for key in fitting[best]]}


def _values_of(runs: Sequence[RunRecord], what: str) -> list[tuple[str, list[str]]]:
    """Each package, or each fact of where runs were made, with all its values: more than one is worth knowing."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for key, value in getattr(run, what).items():
            found.setdefault(key, {})[value] = None
    return [(key, list(values)) for key, values in found.items()]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = breakable
    return environment


def breakable(name: str) -> Markup:
    """A long name that may break after a comma or an underscore."""
    return Markup("").join(Markup("{}<wbr>").format(part) for part in re.findall(r"[^,_]*[,_]?", name) if part)


def _asset(name: str) -> Markup:
    return Markup(resources.files(TEMPLATES).joinpath("templates", name).read_text(encoding="utf-8"))
