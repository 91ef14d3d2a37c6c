"""`trainer.precision=auto`: bfloat16 where the hardware multiplies it, told without torch. No GPU is needed: `nvidia-smi` is a script."""

from pathlib import Path

import pytest
import torch

from stackgan import precision
from stackgan.precision import cpu_multiplies_bfloat16, gpus_multiply_bfloat16, resolve_precision


@pytest.fixture
def hardware(tmp_path, monkeypatch):
    """hardware(capabilities, flags): GPUs of these compute capabilities, and a processor with these instructions."""

    def has(capabilities=(), flags="fma avx2"):
        tool = tmp_path / "nvidia-smi"
        rows = "\n".join(capabilities)
        tool.write_text(f"#!/bin/sh\necho '{rows}'\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        information = f"model name\t: Some processor\nflags\t\t: fpu {flags} sse\nbugs\t\t: amx_bf16\n"
        read = Path.read_text
        monkeypatch.setattr(
            Path,
            "read_text",
            lambda path, *a, **k: information if path == Path("/proc/cpuinfo") else read(path, *a, **k),
        )
        for remembered in (cpu_multiplies_bfloat16, gpus_multiply_bfloat16):
            remembered.cache_clear()

    yield has
    for remembered in (cpu_multiplies_bfloat16, gpus_multiply_bfloat16):
        remembered.cache_clear()


@pytest.mark.parametrize(
    ("capabilities", "flags", "accelerator", "resolved"),
    [
        ([], "fma", "auto", "32-true"),
        ([], "avx512_bf16", "auto", "bf16-mixed"),
        ([], "amx_bf16 amx_tile", "cpu", "bf16-mixed"),
        ([], "avx512f", "cpu", "32-true"),
        (["7.5"], "amx_bf16", "auto", "32-true"),
        (["7.5"], "amx_bf16", "cpu", "bf16-mixed"),
        (["8.0"], "fma", "auto", "bf16-mixed"),
        (["9.0", "7.5"], "fma", "gpu", "bf16-mixed"),
        (["9.0"], "fma", "cpu", "32-true"),
    ],
)
def test_auto_is_what_the_hardware_multiplies(hardware, monkeypatch, capabilities, flags, accelerator, resolved):
    hardware(capabilities, flags)
    monkeypatch.setattr(precision, "gpus_here", lambda: [str(i) for i in range(len(capabilities))])
    assert resolve_precision("auto", accelerator) == resolved
    assert resolve_precision("64-true", accelerator) == "64-true"  # what is typed stays


@pytest.mark.parametrize(("there", "bfloat16"), [(True, True), (True, False), (False, True)])
def test_torch_is_asked_where_the_drivers_tool_is_not_there(hardware, monkeypatch, there, bfloat16):
    hardware()
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: bfloat16 and not including_emulation
    )
    assert gpus_multiply_bfloat16() == (there and bfloat16)
