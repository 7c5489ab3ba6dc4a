"""Work done a little ahead of its use, in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def prefetch(build: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Yield ``build(item)`` of every item in order.

    Parameters
    ----------
    build : called in threads
    items : drawn from as results are taken, so that only a few wait in memory
    workers : threads
    """
    waiting: deque[Future[R]] = deque()
    rest = iter(items)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        # Two more than threads, so that none waits for the taker.
        waiting.extend(pool.submit(build, item) for item in islice(rest, workers + 2))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(build, item) for item in islice(rest, 1))
            yield result
