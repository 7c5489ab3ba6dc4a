"""Device and number format of a training."""

from __future__ import annotations

import torch

from inspection.errors import ConfigError


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """Return a device by its configured name; ``auto`` is the GPU where there is one.

    Parameters
    ----------
    name : auto, cpu or cuda
    local_rank : which GPU of the machine

    Raises
    ------
    ConfigError
        If there is no such GPU.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and local_rank >= torch.cuda.device_count():
        raise ConfigError("device_missing", device=name)
    return torch.device(name, local_rank) if name == "cuda" else torch.device(name)


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the format that the network computes in."""
    named = {
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
        "float32": torch.float32,
    }
    if precision in named:
        return named[precision]
    if device.type == "cuda":
        # Older GPUs would only emulate bfloat16, slowly; float16 they compute in.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    # Without the instructions bfloat16 is emulated, and slower than single precision.
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Return the context in which a network computes in `dtype`."""
    enabled = dtype != torch.float32
    return torch.autocast(device.type, dtype=dtype if enabled else None, enabled=enabled)
