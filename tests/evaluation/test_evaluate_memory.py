"""30,000 pictures of 256 px, of which none is kept: they would be 5.9 GB."""

import subprocess
import sys

import memory_job
import pytest


@pytest.mark.slow
def test_all_scores_of_30000_pictures_stay_within_4_gb(tmp_path):
    result = subprocess.run([sys.executable, memory_job.__file__, str(tmp_path)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert 0.5 < float(result.stdout) < 4
