"""Several GPUs or machines under ``torchrun``: same batches, same statistics, one writer.

A batch of the configuration is one batch over all processes: each prepares every ``size``-th image
of it. Losses are means over the whole batch, and batch normalisation takes its statistics over
all processes, so that the metrics are those of one process up to rounding.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from training.loop.precision import choose_device

if dist.is_available():
    # Default arguments in it keep the group there is when it is imported, and
    # `DistributedDataParallel` imports it late. A group that is kept is not ended by
    # `destroy_process_group`: its threads run on, and one that still lets go of a tensor when the
    # interpreter ends aborts the process.
    import torch.distributed.nn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes that train together, as one of them sees it.

    Parameters
    ----------
    rank : which one this is; 0 writes
    size : how many there are
    device : where this one computes
    """

    rank: int
    size: int
    device: torch.device

    @property
    def writes(self) -> bool:
        """Whether this one writes files and shows progress."""
        return self.rank == 0

    def share(self, rows: Sequence[T]) -> Sequence[T]:
        """Return this process's part of a global batch."""
        return rows[self.rank :: self.size]

    def gather(self, rows: Sequence[T], count: int) -> list[T]:
        """Return all rows in their order, from each process's `share` of them."""
        if self.size == 1:
            return list(rows)
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, list(rows))
        return [parts[index % self.size][index // self.size] for index in range(count)]

    def mean(self, value: float) -> float:
        """Return the mean of a number over all processes."""
        return float(self._sum(value)) / self.size

    def any(self, flag: bool) -> bool:
        """Return whether a flag is set in any process."""
        return float(self._sum(float(flag))) > 0

    def wait(self) -> None:
        """Go on when all processes have come here."""
        self._sum(0.0)

    def parallel(self, criterion: nn.Module) -> nn.Module:
        """Return a module whose backward pass averages gradients over all processes."""
        if self.size == 1:
            return criterion
        for module in criterion.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.__class__ = SharedBatchNorm2d
        # Statistics are the same everywhere already.
        return DistributedDataParallel(criterion, forward_sync_buffers=False)

    def _sum(self, value: float) -> Tensor:
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        if self.size > 1:
            dist.all_reduce(total)
        return total


@contextmanager
def join_processes(device: str) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; without it, yield the only one.

    A group that exists already is used, and left to whoever made it.

    Parameters
    ----------
    device : auto, cpu or cuda
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes(0, 1, choose_device(device))
        return
    found = choose_device(device, int(os.environ["LOCAL_RANK"]))
    if found.type == "cuda":
        torch.cuda.set_device(found)
    joins = not dist.is_initialized()
    if joins:
        dist.init_process_group("nccl" if found.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), size, found)
    finally:
        if joins:
            # A parallel module that was trained lies in circles of references and keeps the group
            # until they are collected, whenever that is.
            gc.collect()
            dist.destroy_process_group()


class _Sum(torch.autograd.Function):
    """Sum over all processes, forward and backward."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def sum_over_processes(value: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes; gradients flow back to all of them."""
    if not dist.is_initialized():
        return value
    total: Tensor = _Sum.apply(value)
    return total


class _Gather(torch.autograd.Function):
    """Rows of all processes, in the order of the global batch."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows)
        return torch.stack(parts, dim=1).flatten(0, 1)  # rank r holds rows r, r + size, …

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total[dist.get_rank() :: dist.get_world_size()]


def gather_batch(rows: Tensor) -> Tensor:
    """Return the whole batch from each process's equal share, (B, …); itself without others.

    For losses that are no mean over images. Gradients are summed over all processes, which all
    compute the same loss, and `DistributedDataParallel` then takes their mean.
    """
    if not dist.is_initialized():
        return rows
    whole: Tensor = _Gather.apply(rows.contiguous())
    return whole


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over the batches of all processes, on any device.

    Torch's own ``SyncBatchNorm`` computes on GPUs only.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) by the statistics of all processes."""
        if not self.training:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            values = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
            count = float(values.numel() // values.shape[1] * dist.get_world_size())
            mean = sum_over_processes(values.sum(dim=(0, 2, 3))) / count
            centred = values - mean[:, None, None]
            variance = sum_over_processes(centred.square().sum(dim=(0, 2, 3))) / count
            scale = torch.rsqrt(variance + self.eps) * self.weight
            result = centred * scale[:, None, None] + self.bias[:, None, None]
            with torch.no_grad():
                assert self.running_mean is not None
                assert self.running_var is not None
                assert self.num_batches_tracked is not None
                assert self.momentum is not None
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                # Unbiased, as torch keeps it.
                self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        return result.to(x.dtype)
