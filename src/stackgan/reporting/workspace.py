"""The W&B workspace of a project: what to look at, in which order, built with the `wandb-workspaces` library.

Panels read the columns of metrics.csv (docs/outputs.md) and the summary keys of tracking/wandb_summary.py.
"""

from typing import TYPE_CHECKING, Any

from stackgan.errors import UserError
from stackgan.evaluation.registry import way
from stackgan.health.verdicts import VERDICTS

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Section, Workspace

CHOICES = ("norm", "optim", "loss", "dropout", "lr", "lr_ratio")
LOGARITHMIC = ("lr", "lr_ratio")


def build_workspace(entity: str, project: str, study: str | None = None, metric: str = "kid_efflite0") -> "Workspace":
    """The workspace as an object; nothing is sent.

    Args:
        entity: W&B user or team.
        project: W&B project, as logger.project.
        study: only runs of this study; None = every run of the project.
        metric: the score to rank by, on validation captions: kid_efflite0, or kid with the official Inception.

    Raises:
        UserError: the library is not installed.
    """
    wr, ws, expr = _library()
    filters: Any = [expr.Metric("Group") == study] if study else ""
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"Study {study}" if study else "Studies",
        sections=[
            _scores(wr, ws, metric),
            _lines(wr, ws, "Discriminator", "d/real", "d/wrong", "d/fake"),
            _lines(wr, ws, "Losses", "loss/d", "loss/g", "loss/kl", "loss/penalty"),
            _lines(wr, ws, "Gradient norms", "grad_norm/d", "grad_norm/g", log=True),
            _lines(wr, ws, "Health", *(f"health/{name}" for name in VERDICTS)),
            _pictures(wr, ws),
            _lines(wr, ws, "Speed and learning rate", "images_per_second", "lr/d", "lr/g"),
        ],
        settings=ws.WorkspaceSettings(x_axis="images", max_runs=50),
        runset_settings=ws.RunsetSettings(
            filters=filters,
            order=[expr.Ordering(expr.Summary(f"score/{metric}"), ascending=way(metric) < 0)],
            pinned_columns=[
                f"summary:{name}"
                for name in (
                    f"score/{metric}",
                    "status/state",
                    "status/verdicts",
                    *(f"choice/{name}" for name in ("variant", "stage", *CHOICES, "seed")),
                    "status/images",
                    "status/hours",
                )
            ],
        ),
    )


def save_workspace(workspace: "Workspace") -> str:
    """Create the workspace at W&B; returns its address. Raises UserError without a key or where W&B refuses."""
    import wandb

    try:
        if not wandb.login(prompt=False):
            raise UserError("no W&B key: set WANDB_API_KEY, or run `wandb login` once, then give this command again.")
        return workspace.save().url
    except (wandb.Error, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"W&B did not take the workspace of {workspace.entity}/{workspace.project}: {reason}"
        ) from error


def _library() -> tuple[Any, Any, Any]:
    try:
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws
        from wandb_workspaces import expr
    except ImportError as error:
        raise UserError("the package wandb-workspaces is missing: pip install -e '.[sweep]'.") from error
    return wr, ws, expr


def _scores(wr: Any, ws: Any, metric: str) -> "Section":
    score = f"score/{metric}"
    columns = [
        wr.ParallelCoordinatesPlotColumn(
            wr.SummaryMetric(f"choice/{name}"), display_name=name, log=name in LOGARITHMIC or None
        )
        for name in CHOICES
    ]
    panels = [
        wr.BarPlot(
            title="Final score by variant, mean and standard deviation of its runs",
            metrics=[wr.SummaryMetric(score)],
            groupby=wr.Config("variant"),
            groupby_aggfunc="mean",
            groupby_rangefunc="stddev",
        ),
        wr.LinePlot(title="Score on validation captions", x="images", y=[metric]),
        wr.ParallelCoordinatesPlot(
            title="Choices and final score",
            columns=[*columns, wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(score), display_name=metric)],
        ),
        wr.RunComparer(diff_only=True),
    ]
    return ws.Section(name="Scores", panels=panels, is_open=True)


def _lines(wr: Any, ws: Any, name: str, *columns: str, log: bool = False) -> "Section":
    panels = [wr.LinePlot(title=column, x="images", y=[column], log_y=log or None) for column in columns]
    return ws.Section(name=name, panels=panels, is_open=True)


def _pictures(wr: Any, ws: Any) -> "Section":
    panels = [wr.MediaBrowser(title="Samples", media_keys=["samples"], num_columns=3, gallery_axis="run")]
    layout = ws.SectionLayoutSettings(columns=1, rows=1)
    return ws.Section(name="Pictures", panels=panels, is_open=True, layout_settings=layout)
