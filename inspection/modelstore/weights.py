"""What a weights file says of itself, read without its weights and without torch."""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection.errors import BundleError

MAX_HEADER = 100 << 20
"""Bytes of JSON; the largest published models have a hundredth of it."""
BYTES = {
    "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2,
    "U16": 2, "I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip
"""Of a number, by type; of a type that came later the format's own library knows."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor of a safetensors file: ``dtype`` as the format names it (``BF16``, ``I64``)."""

    dtype: str
    shape: tuple[int, ...]


def read_header(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors that a safetensors file holds, by name.

    The format is 8 bytes with the length of a JSON header, the header, then the tensors one after
    another; the header tells where each begins and ends, and so the size of a complete file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is cut short, is no safetensors file, or its tensors are not where they should be.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(size - 8, MAX_HEADER):
            raise ValueError(f"a header of {length} bytes")
        try:
            header = json.loads(stream.read(length))
            tensors: dict[str, StoredTensor] = {}
            spans: list[tuple[int, int]] = []
            for name, entry in header.items():
                if name == "__metadata__":
                    continue
                shape = tuple(int(side) for side in entry["shape"])
                begin, end = (int(place) for place in entry["data_offsets"])
                tensors[name] = StoredTensor(str(entry["dtype"]), shape)
                width = BYTES.get(str(entry["dtype"]))
                wrong = width is not None and end - begin != math.prod(shape) * width
                if wrong or min(shape, default=0) < 0:
                    raise ValueError(f"{name} has not the size of its shape")
                spans.append((begin, end))
        except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("the header is no safetensors header") from error
    place = 0
    for begin, end in sorted(spans):
        if begin != place or end < begin:
            raise ValueError("the tensors do not follow one another")
        place = end
    if size != 8 + length + place:
        raise ValueError("the file does not end where its header says")
    return tensors


def misfit(
    tensors: Mapping[str, StoredTensor],
    shapes: Mapping[str, Sequence[object]],
    counts: Mapping[str, object],
) -> str | None:
    """Return how a file's tensors differ from what a configuration says, None where they do not.

    What the configuration leaves out, or says in another form, is not compared.

    Parameters
    ----------
    shapes : by the end of a tensor's name
    counts : by a pattern that finds a layer's number in the names: how many layers there are
    """
    for end, sides in shapes.items():
        if not all(type(side) is int for side in sides):
            continue
        wanted = " x ".join(map(str, sides))
        found = [tensor for name, tensor in tensors.items() if name.endswith(end)]
        if not found:
            return f"{end} is missing"
        if found[0].shape != tuple(sides):
            return f"{end} is {' x '.join(map(str, found[0].shape))} and should be {wanted}"
    for pattern, count in counts.items():
        numbers = {int(hit[1]) for name in tensors if (hit := re.search(pattern, name))}
        if type(count) is int and len(numbers) != count:
            return f"{len(numbers)} layers ({pattern}) instead of {count}"
    return None


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
        raise BundleError(
            "model_weights_damaged", file=f"{path.parent.name}/{path.name}"
        ) from error


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
