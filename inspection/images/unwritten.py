"""Parts of an uncompressed picture that were never written: zeros where the part should go on.

A file made at its full size first, or whose writer or copier died, holds zeros from some byte on,
or in whole blocks. A slice on a black canvas holds long runs of zeros too. The difference is at
the edge: a body in a picture fades into the air around it within a pixel or two, and so meets
zeros nowhere; where the data ends, it meets them along its whole width. Decision 0033 says what
this finds and what it cannot.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.images.colours import Values

Mask = NDArray[np.bool_]
Levels = NDArray[np.uint8]
_SHORTEST_RUN = 512
"""Bytes: no disk and no network loses less."""
_CUT_SHARE = 0.6
"""Of the body's width along which it meets the zeros."""
_FEWEST_CONTACTS = 8
_LARGE_SHARE = 0.02
"""Of the picture: a smaller hole has the body on both of its sides."""
_TOUCHING_SHARE = 0.3
"""How often the body meets zeros at its sides, of how often it would if it went on there."""
_SHARP_SHARE = 0.75
"""Of the body's level, at which rows begin or end beside zeros: from either share on the picture
was cut out along the body itself, and ends as the data would."""
_DARK_SHARE = 1e-3
"""Of zeros in the rest of a photograph, at most, for long runs of them to be none of its own."""
_MOST_HOLES = 4
_BAND = 256
"""Rows at a time where values take more than a byte."""


def is_partly_unwritten(
    values: Values, pixel_bits: int, tile: tuple[int, int] | None = None
) -> bool:
    """Return True where zeros cut through the picture.

    Parameters
    ----------
    values : (h, w) or (h, w, samples), in the order and of the values of the file
    pixel_bits : what a pixel takes in the file
    tile : (rows, columns) of a tile; without it the rows lie one behind the other
    """
    colours = values.reshape(*values.shape[:2], -1)
    # By sample: NumPy is slow along a short axis.
    zero: Mask = np.asarray(colours[:, :, 0] == 0)
    for sample in range(1, colours.shape[2]):
        zero &= colours[:, :, sample] == 0
    shortest = _SHORTEST_RUN * 8 // pixel_bits
    if zero.all() or np.count_nonzero(zero) < shortest:
        return False
    if tile is None and colours.shape[2] >= 3 and _has_holes(zero, shortest):
        return True
    level = _levels(colours)
    lit = level[~zero][None]
    threshold, _ = cv2.threshold(lit, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    body: Mask = level > threshold
    body_rows = np.count_nonzero(body, axis=1)
    if not body_rows.any():
        return False
    width = float(np.median(body_rows[body_rows > 0]))
    if tile is None:
        cut = _rows_cut(zero, body, width, shortest)
    else:
        cut = _tiles_cut(zero, body, width, shortest, tile)
    return cut and not _is_cut_out(level, zero, body, body_rows)


def _levels(colours: Values) -> Levels:
    """Return (h, w) of the distance from zero, of the greatest sample, in 1/255 of the farthest."""
    top = max(abs(float(colours.max())), abs(float(colours.min())))
    level = np.zeros(colours.shape[:2], np.uint8)
    for first in range(0, len(colours), _BAND):
        rows = slice(first, first + _BAND)
        for sample in range(colours.shape[2]):
            scaled = np.abs(colours[rows, :, sample].astype(np.float32)) * np.float32(255.0 / top)
            np.maximum(level[rows], scaled.astype(np.uint8), out=level[rows])
    return level


def _is_cut_out(level: Levels, zero: Mask, body: Mask, body_rows: NDArray[np.int64]) -> bool:
    """Return True where rows begin or end beside zeros nearly as bright as the body is."""
    touching = np.count_nonzero(body[:, 1:] & zero[:, :-1])
    touching += np.count_nonzero(body[:, :-1] & zero[:, 1:])
    filled = np.count_nonzero(body) / np.count_nonzero(~zero)
    if touching > 2 * _TOUCHING_SHARE * filled * np.count_nonzero(body_rows):
        return True
    lit = np.flatnonzero(body_rows >= _FEWEST_CONTACTS)
    bright = (level * body).sum(axis=1)[lit] / body_rows[lit]
    firsts = np.argmin(zero, axis=1)[lit]
    lasts = zero.shape[1] - 1 - np.argmin(zero[:, ::-1], axis=1)[lit]
    for ends, border in ((firsts, 0), (lasts, zero.shape[1] - 1)):
        beside = ends != border
        if np.count_nonzero(beside) >= max(_FEWEST_CONTACTS, len(lit) // 4):
            share = level[lit, ends][beside] / bright[beside]
            if float(np.median(share)) >= _SHARP_SHARE:
                return True
    return False


def _rows_cut(zero: Mask, body: Mask, width: float, shortest: int) -> bool:
    """Look along the pixels in the file's order for runs of zeros that the body runs into."""
    across, size = zero.shape[1], zero.size
    flat = np.ascontiguousarray(body).ravel()
    for start, end in _runs(zero, shortest):
        above = flat[max(0, start - across) : max(0, min(end - across, start))]
        below = flat[max(start + across, end) : end + across]
        contacts = np.count_nonzero(above), np.count_nonzero(below)
        # A small hole has the body on both sides; the end of what was written on one.
        found = max(contacts) if end - start >= _LARGE_SHARE * size else min(contacts)
        if found >= max(_FEWEST_CONTACTS, _CUT_SHARE * min(end - start, width)):
            return True
    return False


def _tiles_cut(zero: Mask, body: Mask, width: float, shortest: int, tile: tuple[int, int]) -> bool:
    """Look within each tile, and where a whole tile is zeros, along its sides."""
    rows, columns = tile
    height, across = zero.shape
    for top in range(0, height, rows):
        for left in range(0, across, columns):
            down, right = min(top + rows, height), min(left + columns, across)
            inside = np.s_[top:down, left:right]
            if not zero[inside].all():
                if _rows_cut(zero[inside], body[inside], min(width, columns), shortest):
                    return True
                continue
            sides = (
                body[max(0, top - 1), left:right],
                body[min(height - 1, down), left:right],
                body[top:down, max(0, left - 1)],
                body[top:down, min(across - 1, right)],
            )
            for side in sides:
                if np.count_nonzero(side) >= max(_FEWEST_CONTACTS, _CUT_SHARE * len(side)):
                    return True
    return False


def _has_holes(zero: Mask, shortest: int) -> bool:
    """Tell a photograph, which has hardly a zero of its own, from few long runs of them."""
    runs = _runs(zero, shortest)
    # Bars above and below are the picture's own: no file begins with a hole.
    if not 1 <= len(runs) <= _MOST_HOLES or zero[0, 0]:
        return False
    lost = sum(end - start for start, end in runs)
    own = int(np.count_nonzero(zero)) - lost
    return own <= _DARK_SHARE * (zero.size - lost)


def _runs(zero: Mask, shortest: int) -> list[tuple[int, int]]:
    """Return (start, end) of the long runs of zeros, in the file's order."""
    edges = np.flatnonzero(np.diff(zero.ravel(), prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    long = ends - starts >= shortest
    return list(zip(starts[long].tolist(), ends[long].tolist(), strict=True))
