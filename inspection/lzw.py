"""LZW as TIFF writes it (TIFF 6.0, section 13), a code table at a time instead of a code at a time.

The width of a code depends on its place after the last clear code alone, and entry ``k`` of the
table is a piece of the output: the string of code ``k`` and the byte behind it. So all codes of a
table are read, measured and copied at once, by arrays. Every byte of the result is accounted for:
codes that point nowhere are errors, and a wrong length is seen, where C libraries fill up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLEAR, END, FIRST_FREE = 256, 257, 258
_TABLE = 4096
_LONG_STRINGS = 12
"""Bytes a code, from which on strings are copied one by one."""
# A code is one bit wider from the place where the table has no room for it any more, one entry
# early, as all writers but the very first have it.
_WIDTHS = np.full(_TABLE + 1, 12, np.int32)
for _first, _width in ((1790, 11), (766, 10), (254, 9)):
    _WIDTHS[:_first] = _width
_STARTS = np.cumsum(_WIDTHS, dtype=np.int32) - _WIDTHS
_ENDS = _STARTS + _WIDTHS
_MASKS = (1 << _WIDTHS) - 1
_PLACES = np.arange(_TABLE + 1)


def decode_lzw(data: bytes | memoryview, limit: int) -> bytes:
    """Return what a strip or tile holds, at most a little over ``limit`` bytes.

    Parameters
    ----------
    data : begins with a clear code
    limit : nothing is decoded once there is more than this

    Raises
    ------
    ValueError
        If a code points nowhere, or the table overflows.
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
        codes = (triples.take((within >> 3) + (at >> 3)) >> shifts) & _MASKS[:count]
        stops = np.flatnonzero((codes == CLEAR) | (codes == END))
        if not len(stops) and count == len(_STARTS):
            raise ValueError("lzw: no clear code where the table is full")
        # Some writers leave the end code out; whether all is there is told by the length.
        stop = int(stops[0]) if len(stops) else count
        if stop:
            part = _strings(codes[:stop].astype(np.intp))
            parts.append(part)
            total += len(part)
        if stop == count or codes[stop] == END:
            break
        at += int(_ENDS[stop])
    return b"".join(parts)


def _strings(codes: NDArray[np.intp]) -> bytes:
    """Return the strings of the codes between two clear codes, joined."""
    copies = codes >= FIRST_FREE
    parents = np.where(copies, codes - FIRST_FREE, _PLACES[: len(codes)])
    if (parents > _PLACES[: len(codes)] - copies).any():
        raise ValueError("lzw: a code that is not in the table yet")
    # A string is its parent's and one byte more: count the ancestors by doubling the stride.
    lengths = copies.astype(np.intp)
    ancestors = parents
    while (further := lengths.take(ancestors)).any():
        lengths += further
        ancestors = ancestors.take(ancestors)
    depth = int(lengths.max())
    lengths += 1
    ends = lengths.cumsum()
    starts = ends - lengths
    total = int(ends[-1])
    if total > _LONG_STRINGS * len(codes):
        return _copied(codes.tolist(), starts[parents].tolist(), lengths.tolist())
    # Each byte of the output is a literal, or the copy of an earlier one: of its parent's, or
    # behind the parent's end of the first of the next string. Two chains of at most `depth`.
    sources = np.arange(total) - (starts - starts.take(parents)).repeat(lengths)
    for _ in range((2 * depth + 1).bit_length()):
        sources = sources.take(sources)
    literals = np.zeros(total, np.uint8)
    literals[starts[~copies]] = codes[~copies]
    return literals.take(sources).tobytes()


def _copied(codes: list[int], sources: list[int], lengths: list[int]) -> bytes:
    """Return the same string by string, which is faster where they are long."""
    out = bytearray()
    for code, source, length in zip(codes, sources, lengths, strict=True):
        if length == 1:
            out.append(code)
            continue
        piece = out[source : source + length]
        # The string that is just being told: it ends with its own first byte.
        out += piece if len(piece) == length else piece + piece[:1]
    return bytes(out)
