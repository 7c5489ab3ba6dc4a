"""Volumes with something in them that is known to the voxel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from inspection.records import Axis, Battery, ImageRef, Lot, Section, VolumeRef
from inspection.results import BatteryResult, Box, ImageResult, Peak, SliceRun, Verdict
from inspection.volumes.planes import AXES, PLANES, Space

SHAPE = (40, 50, 60)
VOXEL_MM = 0.05
PORE: dict[Axis, tuple[int, int]] = {"z": (11, 17), "y": (30, 35), "x": (41, 49)}
"""First number along each axis, and the one after the last."""


def voxels_with_pore() -> np.ndarray:
    """Return (z, y, x) uint8: no two neighbours alike, the pore black."""
    z, y, x = np.indices(SHAPE)
    made = (90 + (5 * z + 3 * y + 2 * x) % 120).astype(np.uint8)
    made[tuple(slice(*PORE[axis]) for axis in AXES)] = 0
    return made


def write_stack(
    path: Path,
    voxels: np.ndarray,
    edge_mm: float | None = VOXEL_MM,
    between_mm: float | None = None,
) -> Path:
    """Write a multi-page TIFF as ImageJ does, with the edge of a voxel where there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if edge_mm is None:
        tifffile.imwrite(path, voxels, photometric="minisblack")
    else:
        tifffile.imwrite(
            path,
            voxels,
            imagej=True,
            resolution=(1 / edge_mm, 1 / edge_mm),
            metadata={"axes": "ZYX", "spacing": between_mm or edge_mm, "unit": "mm"},
        )
    return path


def volume_lot(root: Path, path: Path, shape=SHAPE, step: int = 1) -> Lot:
    """Return a lot of one battery whose CT is every ``step``-th plane of a volume."""
    volume = VolumeRef(path)
    refs = [
        ImageRef(
            path, "ct", "001", axis, number, "cell", "pouch", None, Section(volume, axis, number)
        )
        for axis in AXES
        for number in range(0, shape[AXES.index(axis)], step)
    ]
    return Lot(root, (Battery("001", "001", None, tuple(refs)),))


def judged_pore(lot: Lot, name_of) -> BatteryResult:
    """Return a result that has found the pore on every slice through it, with a halo of heat."""
    space, halo = Space(SHAPE), 4
    (battery,) = lot.batteries
    images, runs = [], []
    for ref in battery.ct:
        rows, columns = space.size(ref.axis)
        (top, bottom), (left, right) = (PORE[axis] for axis in PLANES[ref.axis])
        hit = PORE[ref.axis][0] <= ref.number < PORE[ref.axis][1]
        box = Box(x=left - halo, y=top - halo, w=right - left + 2 * halo, h=bottom - top + 2 * halo)
        images.append(
            ImageResult(
                image=name_of(ref),
                modality="ct",
                axis=ref.axis,
                number=ref.number,
                state="done",
                pred_label="cell_porosity" if hit else "cell_normal",
                pred_score=0.9 if hit else 0.1,
                threshold=0.5,
                is_anomaly=hit,
                pred_boxes=[box] if hit else [],
                peak=Peak(x=(left + right) // 2, y=(top + bottom) // 2, value=0.9 if hit else 0.1),
                width=columns,
                height=rows,
            )
        )
    for axis in AXES:
        first, end = PORE[axis]
        runs.append(
            SliceRun(
                axis=axis,
                first=first,
                last=end - 1,
                length=end - first,
                defect_type="cell_porosity",
                score=0.9,
            )
        )
    return BatteryResult(
        battery_id="001",
        state="done",
        verdict=Verdict(kind="internal_defect", defect_type="cell_porosity"),
        images=images,
        runs=runs,
        worst_slices=[image.image for image in images if image.is_anomaly][:3],
    )
