"""LZW as TIFF writes it (TIFF 6.0, section 13), a code table at a time instead of a code at a time.

The width of a code depends on its place after the last clear code alone, and entry ``k`` of the
table is a piece of the output: the string of code ``k`` and the byte behind it. So all codes of a
table are read, measured and copied at once, by arrays. Every byte of the result is accounted for:
codes that point nowhere, a missing end and a wrong length are errors, where C libraries fill up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLEAR, END, FIRST_FREE = 256, 257, 258
_TABLE = 4096
# A code is one bit wider from the place where the table has no room for it any more, one entry
# early, as all writers but the very first have it.
_WIDTHS = np.full(_TABLE + 1, 12, np.int32)
for _first, _width in ((1790, 11), (766, 10), (254, 9)):
    _WIDTHS[:_first] = _width
_STARTS = np.cumsum(_WIDTHS, dtype=np.int32) - _WIDTHS
_ENDS = _STARTS + _WIDTHS
_MASKS = (1 << _WIDTHS) - 1


def decode_lzw(data: bytes | memoryview, limit: int) -> bytes:
    """Return what a strip or tile holds, at most a little over ``limit`` bytes.

    Parameters
    ----------
    data : begins with a clear code
    limit : nothing is decoded once there is more than this

    Raises
    ------
    ValueError
        If a code points nowhere, or the bytes end before the end code.
    """
    # Three bytes hold any code; those behind the end are never part of a whole one.
    padded = np.frombuffer(bytes(data) + bytes(3), np.uint8).astype(np.int32)
    triples = padded[:-2] << 16 | padded[1:-1] << 8 | padded[2:]
    bits = 8 * len(data)
    at = 0
    parts: list[bytes] = []
    total = 0
    while total <= limit:
        count = int(np.searchsorted(_ENDS, bits - at, side="right"))
        within = _STARTS[:count] + (at & 7)
        shifts = 24 - (within & 7) - _WIDTHS[:count]
        codes = (triples[(within >> 3) + (at >> 3)] >> shifts) & _MASKS[:count]
        stops = np.flatnonzero((codes == CLEAR) | (codes == END))
        if not len(stops):
            raise ValueError("lzw: no end code")
        stop = int(stops[0])
        if stop:
            part = _strings(codes[:stop])
            parts.append(part)
            total += len(part)
        if codes[stop] == END:
            break
        at += int(_ENDS[stop])
    return b"".join(parts)


def _strings(codes: NDArray[np.int32]) -> bytes:
    """Return the strings of the codes between two clear codes, joined."""
    places = np.arange(len(codes), dtype=np.int32)
    copies = codes >= FIRST_FREE
    parents = np.where(copies, codes - FIRST_FREE, places)
    if (parents > places - copies).any():
        raise ValueError("lzw: a code that is not in the table yet")
    # A string is its parent's and one byte more: count the ancestors by doubling the stride.
    lengths = copies.astype(np.int32)
    ancestors = parents
    while lengths[ancestors].any():
        lengths += lengths[ancestors]
        ancestors = ancestors[ancestors]
    depth = int(lengths.max())
    lengths += 1
    ends = np.cumsum(lengths, dtype=np.int32)
    starts = ends - lengths
    # Each byte of the output is a literal, or the copy of an earlier one: of its parent's, or
    # behind the parent's end of the first of the next string. Two chains of at most `depth`.
    sources = np.arange(ends[-1], dtype=np.int32)
    sources -= np.repeat(starts - starts[parents], lengths)
    for _ in range((2 * depth + 1).bit_length()):
        sources = sources[sources]
    literals = np.zeros(ends[-1], np.uint8)
    literals[starts[~copies]] = codes[~copies]
    return literals[sources].tobytes()
