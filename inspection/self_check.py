"""What this computer judges with: processor, memory, GPUs."""

from __future__ import annotations

import platform
import warnings
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU that torch can use.

    Parameters
    ----------
    total, free : bytes of its memory
    """

    name: str
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Devices:
    """The computer.

    Parameters
    ----------
    processor : its name, as far as the system tells
    cores : that this process may use
    memory, free_memory : bytes
    cuda : the version that torch was built for; empty for a build without CUDA
    gpus : those that torch can use
    """

    processor: str
    cores: int
    memory: int
    free_memory: int
    cuda: str
    gpus: tuple[Gpu, ...]


def find_devices() -> Devices:
    """Look at the computer."""
    import psutil
    import torch

    memory = psutil.virtual_memory()
    return Devices(
        processor=platform.processor() or platform.machine(),
        cores=psutil.cpu_count() or 1,
        memory=int(memory.total),
        free_memory=int(memory.available),
        cuda=str(torch.version.cuda or ""),
        gpus=_gpus(),
    )


def _gpus() -> tuple[Gpu, ...]:
    import torch

    with warnings.catch_warnings():
        # A driver that is too old is told by a warning; here it is a GPU that is not there.
        warnings.simplefilter("ignore")
        if not torch.cuda.is_available():
            return ()
    found = []
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        found.append(Gpu(torch.cuda.get_device_name(number), int(total), int(free)))
    return tuple(found)
