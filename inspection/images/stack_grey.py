"""The grey window of a stack of CT slices, found once from a deterministic sample of it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.config import GreySetting
from inspection.errors import InspectionError
from inspection.images.decoding import Decoder
from inspection.images.grey import GreyLevels, GreyWindow, Stored
from inspection.messages import Message
from inspection.records import Battery, ImageRef
from inspection.results import StackGrey

SAMPLE = 6
"""Slices that levels are found from."""
DENSE = 2 * SAMPLE
"""Slices across z that show a body without the other axes: then levels are found from them alone,
as planes across x and y are costly to read from a volume, and come in another order from files."""
KEPT = 16
"""Batteries; lanes are rarely further apart, and a window is found again soon enough."""
SMALLEST_STACK = 3
"""A stack of fewer slices that can be read tells too little of itself."""
SAMPLE_SIDE = 250
"""Shorter side of a sampled slice once it is reduced: noise is averaged, a body is not."""
PADDING_BAND = 0.01
"""Share of the grey range above its lowest value that is taken for a canvas without a picture."""
RIM = 0.03
"""Share of a picture's sides, at its rim, that is looked at for air."""
TWO_MODES = 0.75
"""Share of the variance that lies between air and body; one even body has less."""
FEWEST_STEPS = 40
"""Different values from air to body in 8 bits there are a hundred; a dark copy has few."""
MOST_AT_TOP = 0.4
"""Share of a body's pixels that may have the stack's highest value; one of 1000 hardly ever has."""


@dataclass(frozen=True, slots=True)
class GreyPolicy:
    """How stacks are windowed.

    Parameters
    ----------
    setting : of the site or recipe
    reference : levels that the model was trained on; None where it does not say
    """

    setting: GreySetting = "auto"
    reference: GreyLevels | None = None


class StackWindow:
    """The window of one battery's slices, found when it is first asked for, by any thread.

    Parameters
    ----------
    slices : of the battery, in its order
    policy : of the run
    """

    def __init__(self, slices: Sequence[ImageRef], policy: GreyPolicy) -> None:
        self._slices = slices
        self._policy = policy
        self._lock = threading.Lock()
        self._found: StackGrey | None = None

    def find(self) -> StackGrey:
        """Return what was found; the sampled slices are decoded at the first call."""
        with self._lock:
            if self._found is None:
                self._found = find_stack_grey(self._slices, self._policy)
            return self._found

    @property
    def window(self) -> GreyWindow | None:
        """The window, None under ``dtype``."""
        return window_of(self.find())


class StackWindows:
    """The windows of the batteries that a run is at, found once for all its lanes.

    Parameters
    ----------
    policy : of the run
    """

    def __init__(self, policy: GreyPolicy | None = None) -> None:
        self._policy = policy or GreyPolicy()
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, StackWindow] = OrderedDict()

    def of(self, battery: Battery) -> StackWindow:
        """Return the window of a battery's slices."""
        with self._lock:
            window = self._kept.pop(battery.battery_id, None)
            window = window or StackWindow(battery.ct, self._policy)
            self._kept[battery.battery_id] = window
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return window

    def forget(self, battery: Battery) -> None:
        """Find a battery's window anew when it is next asked for."""
        with self._lock:
            self._kept.pop(battery.battery_id, None)


def window_of(grey: StackGrey | None) -> GreyWindow | None:
    """Return the window that a result was judged under, None under ``dtype``."""
    if grey is None or grey.low is None or grey.high is None:
        return None
    return GreyWindow(grey.low, grey.high)


def find_stack_grey(slices: Sequence[ImageRef], policy: GreyPolicy) -> StackGrey:
    """Return the window of a stack.

    Parameters
    ----------
    slices : of one stack in order; a few of them are decoded
    policy : setting and reference

    Returns
    -------
    StackGrey
        Under ``auto`` with ``problem`` set where no window could be found: then the slices are
        seen as their type says, and cannot be trusted unless they are of 8 bits.
    """
    if policy.setting == "dtype" or not slices:
        return StackGrey(method="dtype")
    if policy.setting != "auto":
        low, high = policy.setting
        return StackGrey(method="fixed", low=low, high=high)
    samples = sample_stack(slices)
    if len(samples) < min(SMALLEST_STACK, len(slices)):
        # Those slices may be there again once they are judged: a share that was away for a moment.
        return StackGrey(method="dtype", problem=Message(code="grey_stack_unread"))
    eight_bits = all(sample.dtype == np.uint8 for sample in samples)
    if policy.reference is None or len(samples) < SMALLEST_STACK:
        # A single 8-bit picture is what its type says.
        code = "grey_no_reference" if policy.reference is None else "grey_stack_small"
        problem = None if eight_bits else Message(code=code)
        return StackGrey(method="dtype", problem=problem)
    levels = levels_of(samples)
    if levels is None:
        return StackGrey(method="dtype", problem=Message(code="grey_not_found"))
    window = levels.window_to(policy.reference)
    steps = _steps(samples, levels)
    problem = None
    if steps < FEWEST_STEPS:
        problem = Message(code="grey_few_steps", params={"steps": steps, "needed": FEWEST_STEPS})
    elif (share := _share_at_top(samples, levels)) > MOST_AT_TOP:
        # Under the window the body is as grey as any: the gate could not see it.
        problem = Message(code="grey_saturated", params={"percent": round(100 * share)})
    return StackGrey(
        method="auto",
        low=window.low,
        high=window.high,
        air=levels.air,
        body=levels.body,
        problem=problem,
    )


def sample_stack(slices: Sequence[ImageRef]) -> list[Stored]:
    """Return stored values of slices that are evenly spaced over a stack, those that can be read.

    One body gives the same levels whether it comes as a volume or as pictures of its planes.

    Parameters
    ----------
    slices : of one stack in order, at least one
    """
    across_z = [ref for ref in slices if ref.axis == "z"]
    if len(across_z) >= DENSE:
        # A stack begins and ends at the body's rim, or beside it.
        places = (np.arange(SAMPLE) + 0.5) / SAMPLE * len(across_z)
        chosen = [across_z[place] for place in places.astype(int)]
    else:
        places = np.linspace(0, len(slices) - 1, SAMPLE).round()
        chosen = [slices[place] for place in np.unique(places.astype(int))]
    samples: list[Stored] = []
    for ref in chosen:
        try:
            decoder = Decoder(ref.source, "ct")
            samples.append(decoder.stored(min(1.0, SAMPLE_SIDE / min(decoder.size))))
        except (InspectionError, OSError):
            # The slice fails once more when it is judged, and its reason is told there.
            continue
    return samples


def levels_of(samples: Sequence[Stored]) -> GreyLevels | None:
    """Return the levels of air and body in some slices of one stack.

    They move with the stored values: the same slices stored with another factor and offset have
    levels that differ by just these, which is what makes a verdict independent of the storage.

    Parameters
    ----------
    samples : (h, w) stored values

    Returns
    -------
    GreyLevels or None
        None where no body stands out.
    """
    pictures = [_averaged(sample) for sample in samples]
    lowest = min(float(picture.min()) for picture in pictures)
    highest = float(np.percentile(np.concatenate([p.ravel() for p in pictures]), 99.9))
    band = lowest + PADDING_BAND * (highest - lowest)
    # The canvas around a picture is no air: it has one value, and covers what it happens to.
    values = np.concatenate([picture[picture > band] for picture in pictures])
    if highest <= lowest or not values.size:
        return None
    split, separation = _otsu(values, band, highest)
    above = values[values > split]
    rims = [rim for picture in pictures if (rim := _rim(picture, band)).size]
    around = float(np.median(np.concatenate(rims))) if rims else lowest
    if separation >= TWO_MODES and around <= split:
        low = values[values <= split]
        # What lies between is the body's edge, of both.
        air = _trimmed_mean(low[low <= (around + split) / 2])
    else:
        # The air was cut to one value when the slices were written: it is the canvas.
        air, above = lowest, values
    body = _trimmed_mean(above[above > (air + float(above.mean())) / 2])
    return GreyLevels(air, body) if body > air else None


def _averaged(stored: Stored) -> NDArray[np.float32]:
    """Return the picture reduced by a whole factor, in single precision."""
    factor = max(1, min(stored.shape) // SAMPLE_SIDE)
    # Not rounded to the stored type: 8 bits have a hundred steps from air to body.
    values = stored.astype(np.float32)
    if factor == 1:
        return values
    size = (stored.shape[1] // factor, stored.shape[0] // factor)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _rim(picture: NDArray[np.float32], band: float) -> NDArray[np.float32]:
    """Return the values at the rim of what is over the canvas's band."""
    lit = picture > band
    # Rows and columns that hold a few stray pixels are none of the picture.
    rows = np.flatnonzero(lit.mean(axis=1) > 0.05)
    columns = np.flatnonzero(lit.mean(axis=0) > 0.05)
    if not rows.size or not columns.size:
        return np.empty(0, np.float32)
    cut = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside = np.zeros(cut.shape, bool)
    margin_y, margin_x = (max(1, round(RIM * side)) for side in cut.shape)
    inside[margin_y:-margin_y, margin_x:-margin_x] = True
    return np.asarray(cut[~inside & (cut > band)], np.float32)


def _otsu(values: NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    """Return the value that splits two modes best, and the share of variance between them.

    References
    ----------
    Otsu, A threshold selection method from gray-level histograms, IEEE SMC 9 (1979).
    """
    counts, edges = np.histogram(values, bins=256, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    share = counts / max(1, counts.sum())
    below = np.cumsum(share)
    mean_below = np.cumsum(share * centres)
    total = mean_below[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (total * below - mean_below) ** 2 / (below * (1 - below))
    between = np.nan_to_num(between, posinf=0.0)
    # In an empty valley every value splits as well: its middle depends on no bin.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    variance = float((share * (centres - total) ** 2).sum())
    place = (int(best[0]) + int(best[-1])) // 2
    return float(edges[place + 1]), float(between.max()) / variance if variance else 0.0


def _trimmed_mean(values: NDArray[np.float32]) -> float:
    """Return the mean without the lowest and highest tenth; smoother than a median in 8 bits."""
    if not values.size:
        return 0.0
    low, high = np.percentile(values, [10, 90])
    kept = values[(values >= low) & (values <= high)]
    return float(kept.mean(dtype=np.float64))


def _steps(samples: Sequence[Stored], levels: GreyLevels) -> int:
    """Return how many different values there are from air to body."""
    found = np.unique(np.concatenate([np.unique(sample) for sample in samples]))
    return int(np.count_nonzero((found >= levels.air) & (found <= levels.body)))


def _share_at_top(samples: Sequence[Stored], levels: GreyLevels) -> float:
    """Return the share of the body's pixels that have the highest value of all."""
    values = np.concatenate([sample.ravel() for sample in samples])
    body = values[values > (levels.air + levels.body) / 2]
    return float(np.mean(body == values.max())) if body.size else 0.0
