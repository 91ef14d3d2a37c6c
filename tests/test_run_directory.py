"""Status and lock of a run folder."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict

import pytest
import yaml

from stackgan.errors import UserError
from stackgan.run_directory import Status, is_running, locate_run, lock_run, read_status, remove_leftovers
from support import composed

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
    halves = (".status.json.x1.part", "samples/.000000008.png.x2.part", "checkpoints/.last.ckpt.x3.part")
    for name in (*halves, "samples/000000008.png", "checkpoints/last.ckpt", "metrics.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".generator.new.part").mkdir()
    remove_leftovers(tmp_path)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["checkpoints/last.ckpt", "metrics.csv", "samples/000000008.png"]
    assert not (tmp_path / ".generator.new.part").exists()


def finished(folder, *overrides, **status):
    """A finished run of these settings, as far as look-ups read it."""
    (folder / "generator").mkdir(parents=True)
    (folder / "generator" / "weights.safetensors").write_text("weights")
    (folder / "config.yaml").write_text(yaml.safe_dump(asdict(composed(*overrides))))
    Status("done", folder=folder.name, **status).write(folder)


def test_a_copy_of_a_run_is_never_trained_in_its_place(tmp_path):
    settings = ["scale=tiny", f"outputs={tmp_path}"]
    place = locate_run(composed(*settings), [])
    finished(place.folder, *settings)
    copy = place.folder.with_name(f"a_backup_of_{place.folder.name}")
    shutil.copytree(place.folder, copy)
    assert locate_run(composed(*settings), []).folder == place.folder
    shutil.rmtree(place.folder)
    with pytest.raises(UserError, match=rf"{copy.name} was .*{place.folder.name}, which is not there: rename it back"):
        locate_run(composed(*settings), [])
    copy.rename(place.folder)
    assert locate_run(composed(*settings), []).folder == place.folder


def test_a_run_whose_record_does_not_say_its_folder_is_no_copy(tmp_path):
    settings = ["scale=tiny", f"outputs={tmp_path}"]
    signature = locate_run(composed(*settings), []).signature
    renamed = tmp_path / "runs" / f"mine-{signature}"
    renamed.mkdir(parents=True)
    Status("done").write(renamed)
    assert locate_run(composed(*settings), []).folder == renamed


def test_stage_two_finds_the_stage_one_that_began_with_another_run(tmp_path):
    settings = ["scale=tiny", f"outputs={tmp_path}"]
    other = tmp_path / "runs" / "seed=7-00000000"
    finished(other, *settings, "seed=7")
    started = [*settings, f"start_from='{other}'"]
    place = locate_run(composed(*started), started)
    assert "start_from=seed=7-00000000-" in place.folder.name
    with pytest.raises(UserError, match="stage_one=auto found no finished Stage-I run"):
        locate_run(composed(*settings, "stage=two"), ["stage=two"])
    finished(place.folder, *started)
    assert locate_run(composed(*settings, "stage=two"), ["stage=two"]).stage_one == place.folder
    earlier = place.folder.with_name(place.folder.name.replace("seed=7", "seed=8"))
    finished(earlier, *settings, f"start_from='{other.with_name('seed=8-00000000')}'")
    os.utime(earlier / "config.yaml", (1, 1))
    assert locate_run(composed(*settings, "stage=two"), ["stage=two"]).stage_one == place.folder  # the newest
