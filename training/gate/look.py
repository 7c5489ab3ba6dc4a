"""Run a model over lots for its gate, and try the gate on what is out of place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.gate.images import measure
from inspection.gate.references import GateReferences
from inspection.images.body_planes import with_body
from inspection.images.decode_ahead import DecodeAhead, Decoded, Wanted
from inspection.images.grey import GreyLevels
from inspection.images.stack_grey import GreyPolicy, StackWindow
from inspection.lot.scan import scan_lot
from inspection.systems.ensemble.detectors import Predictor
from training.evaluation.evaluate import Data
from training.gate.fit import FEWEST_IMAGES, LookedAt, fit_gate, medians

BATCH = 16
MOST = 2000
"""Training images that are enough to say how they differ."""
TRIED = 96
"""Held-out images that are put out of place."""
Array = NDArray[np.float32]


def look_at(
    predictor: Predictor,
    data: Data,
    reference: GreyLevels | None = None,
    most: int | None = None,
) -> tuple[LookedAt, list[Decoded]]:
    """Return what a model computes of the images of its modality, and some of the images.

    Parameters
    ----------
    reference : grey levels of the slices that the model was trained on
    most : images, evenly spaced; all of them by default

    Raises
    ------
    LotError
        If a folder is not a lot.
    """
    spec = predictor.preprocess
    wanted: list[tuple[str, Wanted]] = []
    for lot in data.lots:
        for battery in map(with_body, scan_lot(lot).batteries):
            of_ct = spec.modality == "ct"
            grey = StackWindow(battery.ct, GreyPolicy("auto", reference)) if of_ct else None
            wanted += [
                (f"{lot.resolve().name}/{battery.battery_id}", Wanted(ref, spec, grey))
                for ref in filter(data.keep, battery.ct if of_ct else battery.rgb)
            ]
    wanted = wanted[:: -(-len(wanted) // most)] if most and wanted else wanted
    every = max(1, len(wanted) // TRIED)
    battery_of = {one.image.source: battery for battery, one in wanted}
    rows: list[tuple[dict[str, Array], str, float, str]] = []
    some: list[Decoded] = []
    decoding = DecodeAhead()
    try:
        decoded = decoding.images([one for _, one in wanted])
        ready = (item for item in decoded if isinstance(item, Decoded))
        while batch := list(islice(ready, BATCH)):
            judged = predictor.judge(np.stack([item.input.array for item in batch]))
            for item, found in zip(batch, judged, strict=True):
                key = battery_of[item.image.source]
                sharpness = measure(item.input, spec).sharpness
                rows.append((found.features, found.pred_label, sharpness, key))
                if len(rows) % every == 0:
                    some.append(item)
    finally:
        decoding.close()
    names = list(rows[0][0]) if rows else []
    looked = LookedAt(
        {name: np.stack([row[0][name] for row in rows]) for name in names},
        np.array([row[1] for row in rows], np.str_),
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], np.str_),
    )
    return looked, some


@dataclass(frozen=True, slots=True)
class Caught:
    """How many of some images or batteries a gate stops."""

    name: str
    caught: int
    tried: int


def false_alarms(seen: LookedAt, held_out: LookedAt, blurred: float) -> list[Caught]:
    """Return how many held-out images and batteries are stopped by a gate from the others.

    The limits come from one half of the held-out batteries, the alarms from the other half. Empty
    where a half is too small for a gate.

    Parameters
    ----------
    blurred : limit of sharpness, as a share of the least sharp image
    """
    names = np.unique(held_out.batteries)
    first = np.isin(held_out.batteries, names[::2])
    if min(first.sum(), (~first).sum()) < FEWEST_IMAGES:
        # Enough for the limits, not for half of them to be tried on the other half.
        return []
    images, stopped = 0, 0
    for half in (first, ~first):
        gate = fit_gate(seen, held_out.of(half), "")
        rest = held_out.of(~half)
        distances = gate.unlikeness(rest.features)
        failed = (distances > 1.0) | (rest.sharpness < blurred * gate.sharpness)
        middle = medians(distances, rest.batteries)
        images += int(failed.sum())
        stopped += len(
            {*rest.batteries[failed]} | {n for n, value in middle.items() if value > gate.strange}
        )
    return [
        Caught("gate_figure_images", images, len(held_out)),
        Caught("gate_figure_batteries", stopped, len(names)),
    ]


def out_of_place(
    predictor: Predictor, gate: GateReferences, some: Sequence[Decoded], blurred: float
) -> Iterator[Caught]:
    """Yield how many of some images a gate stops once they are spoilt, by the way."""
    spec = predictor.preprocess
    inputs = [item.input.array for item in some]
    for name, spoil in SPOILT.items():
        rng = np.random.default_rng(0)
        caught = 0
        for start in range(0, len(inputs), BATCH):
            batch = np.stack([spoil(array, rng) for array in inputs[start : start + BATCH]])
            judged = predictor.judge(batch)
            features = {n: np.stack([found.features[n] for found in judged]) for n in gate.spaces}
            for array, distance in zip(batch, gate.unlikeness(features), strict=True):
                sharpness = cv2.Laplacian(array[spec.channels // 2], cv2.CV_32F).std()
                sharpness *= 255.0 * spec.std[spec.channels // 2]
                caught += bool(distance > 1.0 or sharpness < blurred * gate.sharpness)
        yield Caught(name, caught, len(inputs))


def _each_channel(change: Callable[[Array], Array], array: Array) -> Array:
    return np.stack([np.ascontiguousarray(change(channel)) for channel in array])


def _blur(array: Array, _rng: np.random.Generator) -> Array:
    return _each_channel(lambda c: np.asarray(cv2.GaussianBlur(c, (0, 0), 2.0), np.float32), array)


def _turn(array: Array, _rng: np.random.Generator) -> Array:
    size = array.shape[2], array.shape[1]
    return _each_channel(
        lambda c: np.asarray(cv2.resize(np.ascontiguousarray(np.rot90(c)), size), np.float32), array
    )


def _negative(array: Array, _rng: np.random.Generator) -> Array:
    return np.asarray(array.max() + array.min() - array, np.float32)


def _dark(array: Array, _rng: np.random.Generator) -> Array:
    return np.asarray(array.min() + 0.3 * (array - array.min()), np.float32)


def _noise(array: Array, rng: np.random.Generator) -> Array:
    return rng.uniform(array.min(), array.max(), array.shape).astype(np.float32)


def _half(array: Array, _rng: np.random.Generator) -> Array:
    cut = array.copy()
    cut[:, array.shape[1] // 2 :] = array.min()
    return cut


SPOILT: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "gate_figure_blurred": _blur,
    "gate_figure_turned": _turn,
    "gate_figure_negative": _negative,
    "gate_figure_dark": _dark,
    "gate_figure_noise": _noise,
    "gate_figure_half": _half,
}
