"""An ensemble that knows the voxels of each pore; runs, sizes and evidence come of it as ever."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from builders.uninstalled_lane import UninstalledLane
from inspection.classes import class_table
from inspection.images.preprocess import load_image
from inspection.predictions import FailedPrediction, Prediction
from inspection.records import Battery, ImageRef
from inspection.results import Box, ModelProvenance, Peak, SystemName
from inspection.synthetic.volume_battery import true_mask
from inspection.synthetic.volume_defects import Mask
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.lane import LaneSettings
from inspection.volumes.planes import AXES, PLANES

MAP_SIDE = 32
CELL = 16
"""Pixels of a network's cell, in which heat is."""


def truth_of(lot: Path, battery: str) -> list[Mask]:
    """Return the voxels of each of a battery's internal defects."""
    truth = json.loads((lot / "truth.json").read_text(encoding="utf-8"))[battery]
    return [true_mask(entry) for entry in truth["internal"]]


def middle_of(mask: Mask) -> tuple[int, int, int]:
    """Return the voxel of a defect that is nearest to its centre."""
    places = np.argwhere(mask.voxels)
    nearest = places[np.linalg.norm(places - places.mean(axis=0), axis=1).argmin()]
    z, y, x = (int(at + start) for at, start in zip(nearest, mask.start, strict=True))
    return z, y, x


class TruthLane(EnsembleLane):
    """Calls a slice a pore where the truth has one, with boxes as wide as heat is."""

    def load(self) -> list[ModelProvenance]:
        return [ModelProvenance(slot="ct_cnn", name="truth", sha256="0" * 64)]

    def _predict(
        self, battery: Battery, cancel: threading.Event
    ) -> Iterator[Prediction | FailedPrediction]:
        masks = truth_of(self.settings.lot_root, battery.battery_id)
        for ref in battery.ct:
            if cancel.is_set():
                return
            yield _predicted(ref, masks)


def _predicted(ref: ImageRef, masks: list[Mask]) -> Prediction:
    data = load_image(ref.source, modality="ct")
    boxes = [box for mask in masks if (box := _box_on(mask, ref, data.source_size)) is not None]
    label = f"{ref.battery_type or 'cell'}_{'porosity' if boxes else 'normal'}"
    roi = data.roi
    heat = np.zeros((MAP_SIDE, MAP_SIDE), np.float32)
    for box in boxes:
        left, right = ((x - roi.x) * MAP_SIDE // roi.w for x in (box.x, box.x + box.w))
        top, bottom = ((y - roi.y) * MAP_SIDE // roi.h for y in (box.y, box.y + box.h))
        heat[max(0, top) : bottom + 1, max(0, left) : right + 1] = 0.9
    spot = boxes[0] if boxes else Box(x=roi.x, y=roi.y, w=1, h=1)
    probabilities = {name: 0.92 if name == label else 0.02 for name in class_table().ct}
    return Prediction(
        image=ref,
        pred_label=label,
        probabilities=probabilities,
        pred_score=sum(probabilities.get(name, 0.0) for name in class_table().ct_defects),
        threshold=0.5,
        anomaly_map=heat,
        roi=roi,
        source_size=data.source_size,
        pred_boxes=tuple(boxes),
        peak=Peak(x=spot.x + spot.w // 2, y=spot.y + spot.h // 2, value=float(heat.max())),
        seconds=0.001,
    )


def _box_on(mask: Mask, ref: ImageRef, size: tuple[int, int]) -> Box | None:
    """Return whole cells around what a slice cuts of a defect."""
    axis = ref.axis or "z"
    within = ref.number - mask.start[AXES.index(axis)]
    if not 0 <= within < mask.voxels.shape[AXES.index(axis)]:
        return None
    cut = np.argwhere(mask.voxels.take(within, AXES.index(axis)))
    if not len(cut):
        return None
    start = [mask.start[AXES.index(name)] for name in PLANES[axis]]
    (top, left), (bottom, right) = (cut.min(axis=0) + start, cut.max(axis=0) + start + 1)
    x, y = int(left) // CELL * CELL, int(top) // CELL * CELL
    past = min(-(-int(right) // CELL) * CELL, size[0]), min(-(-int(bottom) // CELL) * CELL, size[1])
    return Box(x=x, y=y, w=past[0] - x, h=past[1] - y, score=0.8)


def build_truth_lane(system: SystemName, settings: LaneSettings) -> EnsembleLane | UninstalledLane:
    return TruthLane(settings) if system == "ensemble" else UninstalledLane(system, settings)
