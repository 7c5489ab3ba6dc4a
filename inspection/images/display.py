"""CT slices as they are shown: stored values under a window that makes them readable.

Nothing is decided by it. What a model is shown comes from ``preprocess.py``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from inspection.images.decoding import Decoder
from inspection.images.grey import GreyWindow, Stored
from inspection.images.preprocess import (
    BLACK_LEVEL,
    BLACK_SHARE,
    CONTENT_SEARCH_SIDE,
    USED_SHARE,
    content_region,
    crop,
)
from inspection.images.stack_grey import (
    PADDING_BAND,
    GreyPolicy,
    find_stack_grey,
    sample_stack,
    window_of,
)
from inspection.records import ImageRef, ImageSource, Rect
from inspection.results import StackGrey

OWN_RANGE = (0.5, 99.9)
"""Percentiles of a stack's values that become black and white where no window is known."""


@dataclass(frozen=True, slots=True)
class ShownSlice:
    """The inspected part of a CT slice, as stored.

    Parameters
    ----------
    stored : (h, w); covers ``roi``, possibly at reduced scale
    roi : what the values show, in source pixels of the upright image
    window : under which it is shown at first
    seen : under which the model saw it; None where it has not, or could not
    """

    stored: Stored
    roi: Rect
    window: GreyWindow
    seen: GreyWindow | None


class StackDisplay:
    """How a battery's slices can be shown before they are judged; found once, by any thread.

    Parameters
    ----------
    slices : of the battery, in its order
    policy : reads under which they would be judged
    """

    def __init__(
        self, slices: Sequence[ImageRef], policy: Callable[[], GreyPolicy] = GreyPolicy
    ) -> None:
        self._slices = slices
        self._read_policy = policy
        self._lock = threading.Lock()
        self._expected: StackGrey | None = None
        self._own: GreyWindow | None = None

    def expected(self, stored: Stored) -> StackGrey | None:
        """Return the window under which the stack would be judged; None where it need not be known.

        Eight bits are readable as they are: to look at them, no other slice is decoded.
        """
        with self._lock:
            if self._expected is None:
                policy = self._read_policy()
                if policy.setting == "auto" and stored.dtype == np.uint8:
                    return None
                self._expected = find_stack_grey(self._slices, policy)
            return self._expected

    def own(self, stored: Stored) -> GreyWindow:
        """Return the range of the stack's values; of ``stored`` where no slice can be read."""
        with self._lock:
            if self._own is None:
                samples = sample_stack(self._slices) if self._slices else []
                self._own = own_window(samples or [stored])
            return self._own


def own_window(samples: Sequence[Stored]) -> GreyWindow:
    """Return a window from the darkest to the brightest of some slices, without the canvas."""
    values = np.concatenate([np.ravel(_thinned(one)) for one in samples]).astype(np.float64)
    lowest, highest = float(values.min()), float(values.max())
    pictured = values[values > lowest + PADDING_BAND * (highest - lowest)]
    low, high = np.percentile(pictured if pictured.size else values, OWN_RANGE)
    return GreyWindow(float(low), max(float(high), float(low) + 1e-6 * max(1.0, abs(float(low)))))


def dtype_window(stored: Stored) -> GreyWindow | None:
    """Return the window that is the same as ``dtype``; None for floats that have none."""
    if stored.dtype == np.uint8:
        return GreyWindow(0.0, 255.0)
    if stored.dtype == np.float32:
        within = float(stored.min()) >= 0.0 and float(stored.max()) <= 1.0
        return GreyWindow(0.0, 1.0) if within else None
    # 256 values a grey: the low byte is dropped, not rounded.
    first = -32_768.0 if stored.dtype == np.int16 else 0.0
    return GreyWindow(first + 127.5, first + 127.5 + 255 * 256)


def load_shown(
    source: ImageSource,
    *,
    side: int,
    judged: StackGrey | None = None,
    stack: StackDisplay | None = None,
) -> ShownSlice:
    """Decode the inspected part of a CT slice for the screen.

    Unlike for a judgement, a slice that is dark under the window is no error: it is shown in the
    range of its stack.

    Parameters
    ----------
    source : a file or a plane of a volume
    side : pixels; a JPEG is decoded at the smallest scale that fills a square of it
    judged : the window that the battery was judged under; None before
    stack : what the slice belongs to, for a window where none is known

    Raises
    ------
    ImageError
        If the file cannot be read or is damaged.
    """
    decoder = Decoder(source, "ct")
    small = decoder.stored(min(1.0, CONTENT_SEARCH_SIDE / min(decoder.size)))
    window, seen = shown_window(small, judged=judged, stack=stack)
    # As the judge cuts it: under `dtype` rounded to 8 bits, under a window not.
    region = content_region(decoder, None if window == dtype_window(small) else window)
    region = region or Rect(0, 0, *decoder.size)
    scale = min(1.0, side / max(region.w, region.h))
    stored = crop(decoder.stored(scale), region, decoder.size)
    return ShownSlice(stored, region, window, seen)


def shown_window(
    stored: Stored, *, judged: StackGrey | None = None, stack: StackDisplay | None = None
) -> tuple[GreyWindow, GreyWindow | None]:
    """Return the window under which a slice is shown at first, and that which the model saw.

    Parameters
    ----------
    stored : (h, w) of the slice, at any scale
    judged : the window that the battery was judged under; None before
    stack : what the slice belongs to, for a window where none is known
    """
    stack = stack or StackDisplay(())
    plain = dtype_window(stored)
    small = _thinned(stored)
    known = judged if judged is not None else stack.expected(small)
    # Twelve bits of sixteen are refused by the judge; a dim slice under a window is not.
    sixteen_bits = small.dtype == np.uint16
    trusted = small.dtype == np.uint8 or (known is not None and known.problem is None)
    candidates = ((window_of(known), False), (plain if trusted else None, sixteen_bits))
    readable = (w for w, whole in candidates if w is not None and _readable(small, w, whole))
    window = next(readable, None) or stack.own(small)
    seen = (window_of(judged) or plain) if judged is not None else None
    return window, seen


def _thinned(stored: Stored) -> Stored:
    """Return fewer pixels of a picture that only a JPEG would be reduced to when it is decoded."""
    step = max(1, min(stored.shape) // CONTENT_SEARCH_SIDE)
    return stored[::step, ::step]


def _readable(stored: Stored, window: GreyWindow, whole_range: bool) -> bool:
    """Return False where a picture would be as good as black."""
    level = USED_SHARE * 255 if whole_range else BLACK_LEVEL
    bright = np.count_nonzero(window.apply(stored) > level)
    return bool(bright > stored.size * BLACK_SHARE)
