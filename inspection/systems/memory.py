"""What the lanes do about memory: share the GPU by a budget, and step down rather than fail."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.results import SystemName

log = logging.getLogger(__name__)

T = TypeVar("T")
Step = tuple[Message, Callable[[], None]]
"""What is given up, in words, and the call that gives it up."""

USABLE_SHARE = 0.92
"""Of a GPU: the rest is the driver's, the desktop's, and lost between blocks."""
ENSEMBLE_BYTES = 1 << 30
"""Kept free for the ensemble, which must never be the one that finds the GPU full."""


class GpuBudget:
    """Shares one GPU's memory among the lanes of a process. Safe between threads.

    Parameters
    ----------
    total : bytes to share out; None asks the GPU the first time it matters
    """

    def __init__(self, total: int | None = None) -> None:
        self._total = total
        self._lock = threading.Lock()
        self._reserved: dict[SystemName, int] = {}

    def reserve(self, system: SystemName, needed: int) -> bool:
        """Set memory aside for a system in place of what it had; False where it does not fit."""
        with self._lock:
            if needed > self._free_for(system):
                return False
            self._reserved[system] = needed
            return True

    def release(self, system: SystemName) -> None:
        """Give back what a system had."""
        with self._lock:
            self._reserved.pop(system, None)

    def free_for(self, system: SystemName) -> int:
        """Return how many bytes a system could reserve now."""
        with self._lock:
            return max(0, self._free_for(system))

    def _free_for(self, system: SystemName) -> int:
        if self._total is None:
            import torch

            free, _ = torch.cuda.mem_get_info()
            # What this process holds already was reserved through this very budget.
            self._total = int((free + torch.cuda.memory_reserved()) * USABLE_SHARE)
        others = {"ensemble": ENSEMBLE_BYTES, **self._reserved}
        others.pop(system, None)
        return self._total - sum(others.values())


def free_ram() -> int:
    """Return the bytes of main memory that can be had without swapping."""
    import psutil

    return int(psutil.virtual_memory().available)


class Ladder:
    """Steps that a lane takes, one after another, each time memory runs out.

    A step stays taken: the next image would run out again.

    Parameters
    ----------
    steps : in the order of taking: smaller batches, then fewer pixels, then the CPU
    taken : what was given up before, while the model was loaded
    """

    def __init__(self, steps: list[Step], taken: Sequence[Message] = ()) -> None:
        self._left = list(steps)
        self.taken = list(taken)

    def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, stepping down until it fits.

        Raises
        ------
        InspectionError
            If memory runs out with no step left.
        """
        while True:
            try:
                return work()
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if not self._left:
                    raise InspectionError("memory_exhausted") from error
            # Outside the handler: there, the traceback would keep the failed call's tensors.
            message, apply = self._left[0]
            log.warning("out of memory: %s", message.text())
            empty_cache()
            # Refused, it is left to be tried with the next image.
            apply()
            empty_cache()
            self.taken.append(message)
            del self._left[0]


def is_out_of_memory(error: BaseException) -> bool:
    """Return True where an error says that memory ran out, on the GPU or off it."""
    if isinstance(error, MemoryError):
        return True
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    # The CPU allocator and some CUDA libraries raise a plain RuntimeError.
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator: can't allocate memory" in text
        or "out of memory" in text
        or "CUBLAS_STATUS_ALLOC_FAILED" in text
    )


def empty_cache() -> None:
    """Give memory that nothing holds any more back to the GPU."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
