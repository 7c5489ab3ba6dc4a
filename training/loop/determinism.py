"""One seed, one result: where random numbers come from, and their state in a checkpoint.

Order, augmentation and painted anomalies draw from generators made of seed, epoch and position, so
that neither threads nor a resumed run can change them; the global generators here are what the
networks' initial weights come from, and whatever a library draws by itself.

On a CPU two runs of one configuration and thread count are identical. On a GPU a few operations
have no deterministic form and are used with a warning.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed every generator and ask torch for deterministic algorithms."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    # Read by cuBLAS when it starts; without it deterministic algorithms refuse to run on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())


def random_state() -> dict[str, Any]:
    """Return the state of the global generators, as tensors and plain values."""
    state: Any = np.random.get_state(legacy=True)  # declared as either of two forms
    name, keys, position, has_gauss, cached = state
    return {
        "python": random.getstate(),
        # As a tensor: a checkpoint is read back without pickled code, which an array would need.
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Put the global generators back where `random_state` found them."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    # A checkpoint of a machine with more GPUs, or fewer, still goes on.
    for index, one in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(one, index)
