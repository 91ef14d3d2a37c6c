"""report.md: the study's tables, verdicts, pictures and commands for a repository."""

import html
from collections.abc import Sequence
from urllib.parse import quote

from stackgan.reporting.page.collect import RunRecord, Study
from stackgan.reporting.page.compare import Column, Group
from stackgan.reporting.page.rows import broke, choices, command, duration, epochs, judgement, measured, shell, short
from stackgan.reporting.page.words import STATE_MEANINGS


def page_markdown(study: Study, compared: Sequence[Group], made: str) -> str:
    """The whole page. Sample pictures are linked relative to the study's folder."""
    parts = [
        f"# {plain(study.name)}",
        f"Made {made} from {len(study.runs)} runs; report.html beside it has curves and pictures over time.",
    ]
    if study.command:
        parts.append(block([shell(study.command)]))
    parts += [f"- {plain(problem)}" for problem in study.problems]
    for group in compared:
        parts += [f"## {plain(group.title)}", leaderboard(group), *protocols(group), *seeds(group)]
        parts += verdicts(group.runs)
    parts += pictures(study, compared)
    parts += ["## Commands", *commands(study.runs)]
    return "\n\n".join(parts) + "\n"


def leaderboard(group: Group) -> str:
    """One row a run. The best score of a column is bold."""
    letters = [f"{plain(column.protocol.metric)} [{i}]" for i, column in enumerate(group.columns, 1)]
    head = [
        "setting",
        "seed",
        "state",
        *letters,
        "norm",
        "optim",
        "loss",
        "dropout",
        "lr",
        "images",
        "epochs",
        "h:min",
        "images/s",
        "broke at",
    ]
    rows = []
    for run in group.runs:
        chosen, passes, images = choices(run), epochs(run), broke(run)
        rows.append(
            [
                run.label, run.seed, run.state, *(score(column, run) for column in group.columns),
                chosen.norm, chosen.optim, chosen.loss, chosen.dropout, chosen.lr, f"{run.images:,}",
                "" if passes is None else short(passes), duration(run.seconds), short(run.images_per_second or None),
                "" if images is None else f"{images:,}",
            ]
        )  # fmt: skip
    return table(head, rows)


def score(column: Column, run: RunRecord) -> str:
    """Value and spread, bold if it is the best of the column; with the images it was measured at if those are not the run's last."""
    found = column.scores.get(run.key)
    if found is None:
        return ""
    value = " ± ".join(part for part in measured(found.value, found.std) if part)
    value = f"**{value}**" if column.best == run.key else value
    return value + (f" at {found.images:,}" if found.images != run.images else "")


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
        told = " ".join([judgement(run), *run.events, *run.problems]).strip()
        if run.state != "done" or told:
            name = " ".join(part for part in (run.label, f"seed {run.seed}" if run.seed else "") if part)
            lines.append(f"- {plain(name)}, {run.state}: {plain(told or STATE_MEANINGS[run.state])}")
    return ["\n".join(lines)] if lines else []


def pictures(study: Study, compared: Sequence[Group]) -> list[str]:
    """The last grid of each run."""
    lines = []
    for group in compared:
        for run in group.runs:
            if run.samples:
                last = run.samples[-1]
                link = quote(last.path.relative_to(study.folder).as_posix(), safe="/=,")
                lines.append(
                    f"- {plain(group.title)}, {plain(run.label)}, seed {run.seed}: [{last.images:,} images]({link})"
                )
    return ["## Samples", "\n".join(lines)] if lines else []


def commands(runs: Sequence[RunRecord]) -> list[str]:
    """How to make each row again, or go on with it."""
    given = [command(run) for run in runs]
    return [block([line for line in given if line])] if any(given) else ["Not recorded."]


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
