import pytest
import torch

from stackgan.processor import map_on_cores


def test_results_come_in_order_from_single_threaded_calls_and_torch_keeps_its_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert list(map_on_cores(lambda item: (item, torch.get_num_threads()), range(20))) == [
            (i, 1) for i in range(20)
        ]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_an_error_ends_the_work_that_is_left():
    begun = []

    def work(item):
        begun.append(item)
        raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        list(map_on_cores(work, range(10_000)))
    assert len(begun) < 10_000
