"""Work for all cores of the processor, where torch's own functions do not serve."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_on_cores(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """As `map`, with a call on each core at a time, each of one thread.

    Torch's way, several threads within each operation, makes them wait for each other hundreds of times a batch: spinning,
    and on a machine that has other work besides for most of the time.
    """
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # this thread's own has not changed; what threads to come begin with has
