"""How long the first run of a fresh machine prepares: painting birds, decoding them to a store, embedding their captions.

Wall-clock seconds beside CPU seconds of all processes: where other work runs on the machine, the latter over the number of cores are
what an idle one would take at least.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steps import configuration

from stackgan.inputs import cub_root, prepare_store
from stackgan.memory import keep_freed_memory
from stackgan.precision import cpu_multiplies_bfloat16
from stackgan.text.encoders import build_encoder, fast_encoder
from stackgan.text.table import embed_store

ENCODERS = ("minilm", "minilm_tokens")  # the default's, the recipe's


def measure_first_run(quick: bool = False) -> dict[str, Any]:
    """Each part from an empty cache; embedding also in float32 alone, as a processor without bfloat16 does it.

    quick: a tenth of the birds.
    """
    keep_freed_memory()
    result: dict[str, Any] = {"native_bfloat16": cpu_multiplies_bfloat16()}
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        config = configuration("data=birds", f"data.cache={cache}", *(["data.classes=20"] if quick else []))
        _, result["painting"] = timed(lambda: cub_root(config))
        store, result["store"] = timed(lambda: prepare_store(config))
        for name in ENCODERS:
            exact, fast = build_encoder(name), fast_encoder(name)
            if fast is not None:
                _, result[f"{name} bfloat16"] = timed(lambda: embed_store(store, exact, cache / "fast", faster=fast))  # noqa: B023
            _, result[f"{name} float32"] = timed(lambda: embed_store(store, exact, cache / "exact"))  # noqa: B023
    embedding = result.get("minilm bfloat16", result["minilm float32"])
    parts = (result["painting"], result["store"], embedding)
    result["all, as train.py does it"] = {key: sum(part[key] for part in parts) for key in embedding}
    return {"first_run": result}


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What `work` returns, and the seconds it took by the clock and of all processors."""
    start, before = time.perf_counter(), _processor_seconds()
    value = work()
    return value, {"seconds": time.perf_counter() - start, "cpu_seconds": _processor_seconds() - before}


def _processor_seconds() -> float:
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)
