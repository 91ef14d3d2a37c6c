"""Status and lock of a run folder."""

import json
import subprocess
import sys

import pytest

from stackgan.errors import UserError
from stackgan.run_directory import Status, is_running, lock_run, read_status, remove_leftovers

HOLD = """
import sys, time
from pathlib import Path
from stackgan.run_directory import lock_run
with lock_run(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_status_of_another_version_is_read_without_what_is_not_known(tmp_path):
    Status("done", images=64, events=[{"images": 8, "sentence": "went on"}]).write(tmp_path)
    values = json.loads((tmp_path / "status.json").read_text())
    (tmp_path / "status.json").write_text(json.dumps(values | {"later": 1}))
    assert read_status(tmp_path) == Status("done", images=64, events=[{"images": 8, "sentence": "went on"}])
    (tmp_path / "status.json").write_text('{"state": "done", "images"')
    assert read_status(tmp_path) is None


def test_a_folder_is_one_processs_until_that_one_dies_however_it_dies(tmp_path):
    assert not is_running(tmp_path)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "run"], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "locked\n"
    assert is_running(tmp_path / "run")
    with pytest.raises(UserError, match=f"is being trained by process {holder.pid} "), lock_run(tmp_path / "run"):
        pass
    holder.kill()
    holder.wait()
    assert not is_running(tmp_path / "run")
    with lock_run(tmp_path / "run"):
        assert is_running(tmp_path / "run")
    assert not is_running(tmp_path / "run")


def test_a_folder_that_cannot_be_made_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written .*outputs="), lock_run(tmp_path / "file" / "run"):
        pass


def test_what_a_killed_process_had_half_written_goes(tmp_path):
    for name in (".status.json.x1.part", "samples/.000000008.png.x2.part", "samples/000000008.png", "metrics.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".generator.new.part").mkdir()
    remove_leftovers(tmp_path)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["metrics.csv", "samples/000000008.png"] and not (tmp_path / ".generator.new.part").exists()
