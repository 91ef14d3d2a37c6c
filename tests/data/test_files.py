import os
import threading
import time

import pytest

from stackgan.data.files import exclusive, replacing, replacing_directory


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(path.parent.iterdir()) == []
    with replacing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder"
    with pytest.raises(RuntimeError), replacing_directory(path) as temporary:
        (temporary / "x").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with replacing_directory(path) as temporary:
        (temporary / "x").write_text("first")
    with replacing_directory(path) as temporary:
        (temporary / "x").write_text("second")
    assert (path / "x").read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_others_may_read_what_the_umask_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        with replacing(tmp_path / "a"):
            pass
        with replacing_directory(tmp_path / "b"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o755


def test_only_one_at_a_time_is_in_an_exclusive_block(tmp_path):
    inside, most = [], []

    def work():
        with exclusive(tmp_path / "thing"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


def test_a_lock_is_free_again_after_a_failure(tmp_path):
    with pytest.raises(RuntimeError), exclusive(tmp_path / "thing"):
        raise RuntimeError
    with exclusive(tmp_path / "thing"):
        pass
