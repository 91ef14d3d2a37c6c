"""report.md: the study's answer, tables, verdicts, pictures and commands for a repository."""

import html
from collections.abc import Sequence
from urllib.parse import quote

from stackgan.reporting.page.answer import Standing, answer
from stackgan.reporting.page.collect import RunRecord, Sample, Study
from stackgan.reporting.page.compare import Group
from stackgan.reporting.page.leaderboard import Cell, Heading, leaderboard
from stackgan.reporting.page.rows import command, judgement, measured, not_taken, shell, short
from stackgan.reporting.page.words import STATE_MEANINGS


def page_markdown(study: Study, compared: Sequence[Group], made: str) -> str:
    """The whole page. Sample pictures are linked relative to the study's folder."""
    parts = [f"# {plain(study.name)}"]
    for group in compared:
        parts += answered(study, group)
    parts += [f"Made {made} from {len(study.runs)} runs; report.html beside it has curves and pictures over time."]
    parts += [f"- {plain(problem)}" for problem in study.problems]
    parts += shared(study)
    for group in compared:
        parts += [f"## {plain(group.title)}", board(group), *protocols(group), *seeds(group)]
        parts += verdicts(group.runs)
    parts += pictures(study, compared)
    parts += ["## Commands", *commands(study)]
    return "\n\n".join(parts) + "\n"


def answered(study: Study, group: Group) -> list[str]:
    """What the group's runs say: the sentence, then a line for each setting in the order of the ranking."""
    found = answer(group)
    lines = [_standing(study, standing, i) for i, standing in enumerate(found.ranking, 1)]
    parts = [f"## The answer: {plain(group.title)}", f"**{plain(found.sentence)}**", plain(found.so_far)]
    return [part for part in (*parts, "\n".join(lines), plain(found.measure)) if part]


def _standing(study: Study, standing: Standing, place: int) -> str:
    told = "; ".join(part for part in (standing.score or standing.without, standing.against) if part)
    health = f"{standing.health[:1].upper()}{standing.health[1:]}." if standing.health else ""
    wrong = " ".join(f"{trouble.name} {trouble.sentence}" for trouble in standing.troubles) or health
    samples = standing.shown.samples if standing.shown else []
    grid = f"[Its pictures]({_link(study, samples[-1])})." if samples else ""
    return " ".join(part for part in (f"{place}. {plain(standing.label)}: {plain(told)}.", plain(wrong), grid) if part)


def shared(study: Study) -> list[str]:
    """What the names of settings leave out."""
    return [f"All runs: {plain(', '.join(study.shared))}."] if study.shared else []


def board(group: Group) -> str:
    """The leaderboard, one row a run. The best score of a column is bold."""
    found = leaderboard(group)
    return table(list(map(_heading, found.head)), [list(map(_cell, cells)) for _, cells in found.rows])


def _heading(heading: Heading) -> str:
    return plain(heading.name + (f" [{heading.protocol}]" if heading.protocol else ""))


def _cell(cell: Cell) -> str:
    value = " ± ".join(part for part in (cell.text, cell.std) if part)
    return " ".join([f"**{value}**" if cell.best else value, *cell.notes])


def protocols(group: Group) -> list[str]:
    """What the numbers of the score columns mean; only values of one column can be compared."""
    if not group.columns:
        return []
    lines = []
    for i, column in enumerate(group.columns, 1):
        real = f"; real pictures score {short(column.real)}" if column.real is not None else ""
        lines.append(f"{i}. {plain(column.protocol.metric)}: {plain(column.protocol.sentence)}{real}.")
    return ["Scores can be compared within a column only. ± is the deviation over splits or subsets.", "\n".join(lines)]


def seeds(group: Group) -> list[str]:
    """Mean and deviation over seeds, where there are several."""
    if not group.seeds:
        return []
    head = ["setting", "runs", *(f"{plain(column.protocol.metric)} [{i}]" for i, column in enumerate(group.columns, 1))]
    rows = []
    for row in group.seeds:
        means = [
            "" if mean is None else f"{' ± '.join(part for part in measured(*mean[:2]) if part)} ({mean[2]})"
            for mean in row.means
        ]
        rows.append([row.label, ", ".join(f"{count} {state}" for state, count in row.states.items()), *means])
    return ["Mean ± standard deviation over seeds (number of seeds):", table(head, rows)]


def verdicts(runs: Sequence[RunRecord]) -> list[str]:
    """A line for each run that is not simply done."""
    lines = []
    for run in runs:
        told = " ".join([judgement(run), *run.events, not_taken(run), *run.problems]).strip()
        if run.state != "done" or told:
            name = " ".join(part for part in (run.label, f"seed {run.seed}" if run.seed else "") if part)
            lines.append(f"- {plain(name)}, {run.state}: {plain(told or STATE_MEANINGS[run.state])}")
    return ["\n".join(lines)] if lines else []


def pictures(study: Study, compared: Sequence[Group]) -> list[str]:
    """The last grid of each run."""
    lines = [
        f"- {plain(group.title)}, {plain(run.label)}, seed {run.seed}: "
        f"[{run.samples[-1].images:,} images]({_link(study, run.samples[-1])})"
        for group in compared
        for run in group.runs
        if run.samples
    ]
    return ["## Samples", "\n".join(lines)] if lines else []


def _link(study: Study, sample: Sample) -> str:
    return quote(sample.path.relative_to(study.folder).as_posix(), safe="/=,")


def commands(study: Study) -> list[str]:
    """How to make the study again, and each row of it, or go on with it."""
    given = [line for line in map(command, study.runs) if line]
    whole = [block([shell(study.command)])] if study.command else []
    return [*whole, block(given) if given else "Not recorded."]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose cells may hold anything."""
    lines = [head, ["---"] * len(head), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plain(cell: str) -> str:
    """Text that neither ends a cell nor is read as HTML or a link."""
    return html.escape(" ".join(cell.split()), quote=False).replace("|", "\\|").replace("[", "\\[").replace("_", "\\_")


def block(lines: Sequence[str]) -> str:
    """A block of code; lines that contain a fence cannot end it."""
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    return "\n".join([fence, *lines, fence])
