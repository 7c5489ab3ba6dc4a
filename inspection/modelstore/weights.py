"""What a weights file says of itself, read without its weights and without torch."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from inspection.errors import BundleError

MAX_HEADER = 100 << 20
"""Bytes of JSON; the largest published models have a hundredth of it."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor of a safetensors file: ``dtype`` as the format names it (``BF16``, ``I64``)."""

    dtype: str
    shape: tuple[int, ...]


def read_header(path: Path) -> list[StoredTensor]:
    """Return the tensors that a safetensors file holds.

    The format is 8 bytes with the length of a JSON header, the header, then the tensors; the
    header tells where each ends, and so the size that a complete file has.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is cut short or is no safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(size - 8, MAX_HEADER):
            raise ValueError(f"a header of {length} bytes")
        try:
            header = json.loads(stream.read(length))
            entries = [entry for key, entry in header.items() if key != "__metadata__"]
            ends = [int(entry["data_offsets"][1]) for entry in entries]
            tensors = [
                StoredTensor(str(entry["dtype"]), tuple(int(side) for side in entry["shape"]))
                for entry in entries
            ]
        except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("the header is no safetensors header") from error
    if size != 8 + length + max(ends, default=0):
        raise ValueError("the file does not end where its header says")
    return tensors


def check_safetensors(path: Path) -> None:
    """Refuse weights whose file is cut short or damaged, without reading the weights.

    Raises
    ------
    BundleError
        If the header is wrong, or the file has not the size that it tells of.
    """
    try:
        read_header(path)
    except (OSError, ValueError) as error:
        raise BundleError("model_weights_damaged", file=path.name) from error


def check_checkpoint(path: Path) -> None:
    """Refuse a checkpoint that holds anything but tensors: to load it would run its code.

    Raises
    ------
    BundleError
        If it is damaged or holds more.
    """
    import torch

    # A checkpoint of the old format is no zip, and cannot be mapped.
    mapped = zipfile.is_zipfile(path)
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except OSError:
        raise
    except Exception as error:
        # A file made to do harm may have the unpickler stumble over anything.
        raise BundleError("model_pickle_code", file=path.name) from error
