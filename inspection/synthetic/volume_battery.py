"""The CT of one battery as a single body: written whole or in planes, its truth as voxels."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.classes import class_table
from inspection.images.body_planes import GRAZED
from inspection.records import Axis
from inspection.synthetic.labels import label_of, write_json, write_picture
from inspection.synthetic.spec import BatteryPlan, SyntheticLot
from inspection.synthetic.style import style_of
from inspection.synthetic.volume import body_planes, build_body, build_defects
from inspection.synthetic.volume_defects import Mask
from inspection.synthetic.volume_files import WRITERS, WholeVolume, stored_values

AXES: tuple[Axis, ...] = ("z", "y", "x")
"""In the order of a volume's dimensions."""
PART_MM = 100.0
"""Length of a canvas, from which a voxel has its size."""
SERIALS = 100_000_000
"""Beyond all ids of a lot's views."""
JPEG_QUALITY = 100
"""Higher than of slices drawn one by one: these are compared with volumes that lose nothing."""


def write_body(folder: Path, spec: SyntheticLot, plan: BatteryPlan) -> dict[str, Any]:
    """Write a battery's CT into a folder, in the form that the lot asks for.

    Returns
    -------
    dict
        What is true of it: ``shape``, ``voxel_mm``, ``internal`` with the voxels of each defect.
    """
    rng = np.random.default_rng([spec.seed, 5, plan.number])
    body = build_body(plan.battery_type, spec.canvas, rng, style_of(spec.style))
    defects = build_defects(body, plan.internal, plan.internal_visibility, rng)
    planes = body_planes(body, defects)
    voxel_mm = round(PART_MM / spec.canvas, 4)
    if spec.form == "jpeg":
        voxels = np.stack([stored_values(plane, "8") for plane in planes])
        shown = [_planes_of_body(voxels, dimension) for dimension in range(3)]
        _write_planes(folder, voxels, shown)
        beside, called = folder, "{axis}_{number:04d}.jpg"
    else:
        stored = (stored_values(plane, spec.bits) for plane in planes)
        volume = WRITERS[spec.form](folder, WholeVolume(body.shape, stored, spec.bits, voxel_mm))
        shown = [range(side) for side in body.shape]
        beside, called = volume.parent, volume.name + "#{axis}{number:04d}"
    masks = [defect.mask() for defect in defects]
    _write_labels(beside, called, plan, body.shape, shown, masks)
    return {
        "shape": list(body.shape),
        "voxel_mm": voxel_mm,
        "internal": [
            {
                "name": mask.name,
                "class": class_table().class_of(mask.name, "ct", plan.battery_type),
                "visibility": plan.internal_visibility,
                "start": list(mask.start),
                "shape": list(mask.voxels.shape),
                "voxels": int(mask.voxels.sum()),
                "mask": base64.b64encode(
                    zlib.compress(np.packbits(mask.voxels).tobytes())
                ).decode(),
            }
            for mask in masks
        ],
    }


def true_mask(entry: Mapping[str, Any]) -> Mask:
    """Return the voxels of a defect from its entry in ``truth.json``.

    Parameters
    ----------
    entry : one of ``internal`` of a battery whose CT is one body
    """
    shape = tuple(entry["shape"])
    packed = np.frombuffer(zlib.decompress(base64.b64decode(entry["mask"])), np.uint8)
    voxels = np.unpackbits(packed, count=int(np.prod(shape))).reshape(shape).astype(bool)
    z, y, x = entry["start"]
    return Mask(entry["name"], (z, y, x), voxels)


def _write_planes(folder: Path, voxels: NDArray[Any], shown: Sequence[range]) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    for dimension, axis in enumerate(AXES):
        for number in shown[dimension]:
            picture = np.ascontiguousarray(voxels.take(number, axis=dimension))
            write_picture(folder / f"{axis}_{number:04d}.jpg", picture, options)


def _write_labels(
    folder: Path,
    called: str,
    plan: BatteryPlan,
    shape: tuple[int, int, int],
    shown: Sequence[range],
    masks: Sequence[Mask],
) -> None:
    for dimension, axis in enumerate(AXES):
        rows, columns = (side for place, side in enumerate(shape) if place != dimension)
        for number in shown[dimension]:
            name = called.format(axis=axis, number=number)
            outlines = [
                (mask.name, outline)
                for mask in masks
                for outline in _outlines(mask, dimension, number)
            ]
            serial = (dimension + 1) * SERIALS + number
            label = label_of(plan, "ct", serial, (columns, rows), name, outlines, None)
            write_json(folder / f"{name.removesuffix('.jpg')}.json", label)


def _planes_of_body(voxels: NDArray[Any], dimension: int) -> range:
    """Return the planes across one axis that are exported: none that shows hardly but air."""
    middle, _ = cv2.threshold(voxels.reshape(len(voxels), -1), 0, 255, cv2.THRESH_OTSU)
    others = tuple(other for other in range(3) if other != dimension)
    shown = np.count_nonzero(voxels > middle, axis=others)
    places = np.flatnonzero(shown >= GRAZED * shown.max())
    return range(places[0], places[-1] + 1)


def _outlines(mask: Mask, dimension: int, number: int) -> list[NDArray[np.float32]]:
    within = number - mask.start[dimension]
    if not 0 <= within < mask.voxels.shape[dimension]:
        return []
    plane = np.ascontiguousarray(mask.voxels.take(within, axis=dimension), np.uint8)
    top, left = (mask.start[d] for d in range(3) if d != dimension)
    found, _ = cv2.findContours(plane, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    # A contour of fewer than three points has no area that a label could hold.
    return [
        (outline[:, 0] + (left, top)).astype(np.float32) for outline in found if len(outline) > 2
    ]
