"""Records: what replaces what, what an older file holds, and the table that is made of them."""

import csv
import json
from dataclasses import asdict, replace

import pytest

from reporting.page_study import record as make_record
from stackgan.errors import UserError
from stackgan.evaluation.record import ProtocolRecord, append_record, append_records, describe, summary
from stackgan.reporting.page.collect import read_study
from stackgan.reporting.page.compare import columns
from stackgan.reporting.score_table import write_table

RECORD = ProtocolRecord("is_efflite0", 2.0, 0.1, 3.0, "efflite0", "ab", "128", 10, 10, 2, 0, "test", "ema", 64)


def rows(folder):
    return json.loads((folder / "evaluation.json").read_text())


def test_a_repeated_measurement_replaces_the_earlier_one_whatever_it_found(tmp_path):
    append_record(tmp_path, RECORD)
    append_record(tmp_path, replace(RECORD, value=1.5, std=0.2, real=3.1, real_train=2.0, low=1.0, details={"a": 1.0}))
    assert [row["value"] for row in rows(tmp_path)] == [1.5]


@pytest.mark.parametrize(
    "change",
    [
        {"samples": 20}, {"seed": 1}, {"truncation": 0.8}, {"frames": "cropped"}, {"generator": "raw"}, {"splits": 5},
        {"weights": "cd"}, {"image_size": 256}, {"data": "ff"}, {"images": 128}, {"captions": "validation"}, {"subject": "x"},
        {"real_samples": 9}, {"resize": "299"}, {"network": "inception"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_another_protocol_stands_beside_it(tmp_path, change):
    append_records(tmp_path, [RECORD, replace(RECORD, value=1.0, **change)])
    assert [row["value"] for row in rows(tmp_path)] == [2.0, 1.0]


def test_a_file_of_an_earlier_version_is_read_and_its_rows_are_replaced(tmp_path):
    old = {key: value for key, value in asdict(RECORD).items() if key not in
           ("real_train", "shuffled", "low", "high", "truncation", "frames", "image_size", "data", "subject")}  # fmt: skip
    run = tmp_path / "a-00000000"
    run.mkdir()
    (run / "status.json").write_text("{}")
    (run / "evaluation.json").write_text(json.dumps([old]))
    assert read_study(tmp_path).runs[0].records == [RECORD]
    append_record(run, replace(RECORD, value=1.0))
    assert [row["value"] for row in rows(run)] == [1.0]


def test_a_record_is_described_with_everything_to_hold_beside_it():
    line = describe(replace(RECORD, real_train=2.5, shuffled=1.25, low=1.8, high=2.2, frames="cropped"))
    for part in (
        "is_efflite0 (frames cropped)",
        "2.0000 +- 0.1000",
        "3.0000",
        "2.5000",
        "1.2500",
        "1.8000..2.2000",
        "10 pictures",
    ):
        assert part in line
    assert "None" not in describe(replace(RECORD, std=None, real=None))


def test_the_summary_has_a_value_for_each_metric_with_and_without_frames():
    values = summary([RECORD, replace(RECORD, value=2.4, frames="cropped")])
    assert values == {"score/is_efflite0/test": 2.0, "score/is_efflite0_cropped/test": 2.4}


def write_run(study, name, *records):
    run = study / name
    run.mkdir(parents=True)
    (run / "status.json").write_text('{"state": "done", "images": 64, "data_fingerprint": "ff"}')
    append_records(run, records)
    return run


def test_unlike_protocols_never_share_a_column_and_like_ones_do(tmp_path):
    write_run(tmp_path, "a-00000000", RECORD, replace(RECORD, frames="cropped", value=4.0))
    write_run(tmp_path, "b-11111111", replace(RECORD, value=3.0), replace(RECORD, truncation=0.8, value=5.0))
    found = columns(read_study(tmp_path).runs)
    assert sorted(sorted(score.value for score in column.scores.values()) for column in found) == [
        [2.0, 3.0],
        [4.0],
        [5.0],
    ]
    assert len({column.protocol.sentence for column in found}) == 3


def test_the_table_is_made_of_records_alone(tmp_path):
    a = write_run(tmp_path, "a-00000000", RECORD, make_record("fid_efflite0", 123.456, 64))
    write_run(tmp_path, "b-11111111", replace(RECORD, value=3.0))
    (tmp_path / "c-22222222").mkdir()
    (tmp_path / "c-22222222" / "status.json").write_text('{"state": "done", "scores": {"is_efflite0": 99.0}}')
    text, markdown, table = write_table(tmp_path)
    assert markdown.read_text() == text and "99" not in text
    head, _, first, second = (line for line in text.splitlines() if line.startswith("|"))
    assert "fid\\_efflite0 ↓ \\[1] | is\\_efflite0 ↑ \\[2]" in head  # the Inception Score comes last
    assert "2.00 ± 0.10" in first and "**3.00 ± 0.10**" in second
    cells = list(csv.DictReader(table.open(newline="")))
    assert [(row["run"], row["metric"], float(row["value"])) for row in cells] == [
        ("a-00000000", "fid_efflite0", 123.456), ("a-00000000", "is_efflite0", 2.0), ("b-11111111", "is_efflite0", 3.0),
    ]  # fmt: skip
    assert "weights ab" in cells[1]["protocol"]
    alone, path, _ = write_table(a, alone=True)
    assert path.parent == a and "3.00" not in alone


def test_a_study_without_records_is_refused(tmp_path):
    with pytest.raises(UserError, match="evaluate"):
        write_table(tmp_path)
