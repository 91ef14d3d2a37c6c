"""Memory that is freed stays with the process; counted in the pages that the system had to give it."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import torch
from stackgan.memory import keep_freed_memory, return_freed_memory

{"keep": keep_freed_memory, "return": return_freed_memory}[sys.argv[1]]()

def use():
    torch.empty(2**24).fill_(1)  # 64 MiB, freed at once

for _ in range(60):  # until the holes between blocks are large enough
    use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 8 * 2**26 // 4096  # of the eight blocks


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
@pytest.mark.parametrize(("choice", "again"), [("keep", False), ("return", True)])
def test_a_block_of_the_same_size_needs_no_new_pages(choice, again):
    done = subprocess.run([sys.executable, "-c", PROGRAM, choice], check=True, capture_output=True, text=True)
    new = int(done.stdout)
    assert (new > PAGES / 2) if again else (new < PAGES / 100)
