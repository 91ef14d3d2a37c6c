"""What a word for a run looks like: `latest`, a signature, or the name of a folder below outputs. It imports nothing of ours."""

import glob
import re
from pathlib import Path

LATEST = "latest"
AUTO = "auto"  # stage_one: the finished run with the same configuration
DEPTHS = ("*", "*/*", "*/*/*")  # of runs below outputs; a study may be called a/b


def is_signature(word: str) -> bool:
    """Whether it is the eight digits at the end of a run folder's name."""
    return bool(re.fullmatch(r"[0-9a-f]{8}", word))


def names_run(word: str, outputs: Path) -> bool:
    """Whether the word can mean a run, of which those named by their folder are looked up."""
    if word in (LATEST, AUTO) or is_signature(word):
        return True
    places = [f"{depth}/status.json" for depth in (d.rpartition("*")[0] + glob.escape(word) for d in DEPTHS)]
    return bool(word) and "/" not in word and any(True for place in places for _ in outputs.glob(place))
