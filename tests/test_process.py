"""The process of a run: threads, arithmetic, and the device that is asked for."""

import warnings

import pytest
import torch

from stackgan.errors import UserError
from stackgan.process import find_device, prepare_process
from support import composed


@pytest.fixture(autouse=True)
def torch_as_before():
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with warnings.catch_warnings():
        yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)


@pytest.mark.parametrize(("threads", "wanted"), [("3", 3), ("null", 2)])
def test_a_run_has_the_threads_that_it_is_given(threads, wanted):
    torch.set_num_threads(2)
    prepare_process(composed(f"trainer.threads={threads}"))
    assert torch.get_num_threads() == wanted and torch.get_float32_matmul_precision() == "high"


def test_numbers_too_small_to_matter_are_zero():
    torch.set_flush_denormal(False)
    prepare_process(composed())
    assert float(torch.tensor([1e-39]) * torch.tensor([1.0])) == 0


def test_advice_that_does_not_apply_is_not_shown_and_other_warnings_are():
    prepare_process(composed())
    with warnings.catch_warnings(record=True) as shown:
        warnings.warn("The 'train_dataloader' does not have many workers which may be a bottleneck.", stacklevel=1)
        warnings.warn("out of birds", stacklevel=1)
    assert [str(warning.message) for warning in shown] == ["out of birds"]


@pytest.mark.parametrize(("there", "auto"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_the_gpu_where_there_is_one(monkeypatch, there, auto):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert (find_device("auto"), find_device("cpu")) == (auto, "cpu")
    if there:
        assert find_device("cuda") == "cuda"
    else:
        with pytest.raises(UserError, match="device=cuda: torch sees no GPU"):
            find_device("cuda")
