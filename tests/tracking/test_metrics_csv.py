"""metrics.csv."""

import csv

from stackgan.tracking.metrics_csv import MetricsCsv


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_row_per_log_point_whatever_is_logged_at_it(tmp_path):
    logger = MetricsCsv(tmp_path)
    logger.log_metrics({"images": 10, "loss/d": 1.5})
    logger.log_metrics({"images": 20, "loss/d": 1.25})
    logger.log_metrics({"images": 20, "is": 3.5})  # a new column, at a row that exists
    assert rows(tmp_path / "metrics.csv") == [
        {"images": "10", "loss/d": "1.5", "is": ""},
        {"images": "20", "loss/d": "1.25", "is": "3.5"},
    ]


def test_a_later_session_adds_to_the_rows_and_forgets_those_past_its_checkpoint(tmp_path):
    first = MetricsCsv(tmp_path)
    for images in (10, 20, 30):
        first.log_metrics({"images": images, "loss/d": float(images)})
    second = MetricsCsv(tmp_path)
    second.forget_after(20)
    second.log_metrics({"images": 30, "loss/d": -1.0})
    assert [(row["images"], row["loss/d"]) for row in rows(tmp_path / "metrics.csv")] == [
        ("10", "10.0"),
        ("20", "20.0"),
        ("30", "-1.0"),
    ]
