"""Write a synthetic lot: pictures and labels in the layout of the real ones."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from inspection.classes import class_table
from inspection.errors import LotError
from inspection.records import Axis
from inspection.synthetic.ct import Defect, build_structure, render_slice
from inspection.synthetic.labels import label_of, write_json, write_picture
from inspection.synthetic.rgb import build_exterior, defect_in_sight, render_view
from inspection.synthetic.spec import BatteryPlan, SyntheticLot, plan_lot
from inspection.synthetic.style import style_of
from inspection.synthetic.volume_battery import write_body

GENERATOR_VERSION = 2
"""Raised when the same spec gives other pictures; part of the demo lot's folder name."""

IMAGES = "Training/01.원천데이터"
LABELS = "Training/02.라벨링데이터"
CT_IMAGES, RGB_IMAGES = "TS_CT_Datasets_images_1", "TS_Exterior_Img_Datasets_images_1"
CT_LABELS, RGB_LABELS = "TL_CT_Datasets_label", "TL_Exterior_Img_Datasets_label"
AXES: tuple[Axis, ...] = ("x", "y", "z")
JPEG_QUALITY = 92
PNG_LEVEL = 1
RUN_LENGTH = (6, 13)
"""Slices a defect runs through, where the stack is long enough: about nine."""

PIXELS_WORTH_A_PROCESS = 4_000_000
"""Drawing these takes as long as starting a process does."""

Progress = Callable[[int, int], None]


def write_lot(
    out: Path,
    spec: SyntheticLot,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a lot.

    Parameters
    ----------
    out : new or empty folder
    spec : what to make; the same spec gives the same files
    workers : processes; by default one a processor, as far as there is work for them
    progress : called with batteries done and in all

    Raises
    ------
    LotError
        If ``out`` is a file or holds something already, or cannot be written, or a worker
        process was killed (as by a system short of memory).
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise LotError("lot_exists", folder=str(out))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # Renamed at the end, so that half a lot never looks like a whole one.
        building = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise LotError("lot_unwritable", folder=str(out), problem=error.strerror or "") from error
    try:
        _fill(building, spec, workers or _worthwhile(spec), progress)
        if out.exists():
            out.rmdir()
        building.chmod(0o755)
        building.rename(out)
    except OSError as error:
        raise LotError("lot_unwritable", folder=str(out), problem=error.strerror or "") from error
    except BrokenProcessPool as error:
        raise LotError("lot_worker_lost", folder=str(out)) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return out


def _worthwhile(spec: SyntheticLot) -> int:
    """Return how many processes draw a lot the soonest."""
    pictures = spec.views + (spec.slices if spec.form == "slices" else spec.canvas / 4)
    pixels = spec.batteries * pictures * spec.canvas**2
    return max(1, min(os.cpu_count() or 1, int(pixels / PIXELS_WORTH_A_PROCESS)))


def _fill(root: Path, spec: SyntheticLot, workers: int, progress: Progress | None) -> None:
    plans = plan_lot(spec)
    for place in {place for plan in plans for place in _places(root, spec, plan)}:
        place.mkdir(parents=True)
    truth: dict[str, Any] = {}
    jobs = [(root, spec, plan) for plan in plans]
    workers = min(workers, len(plans))
    if workers == 1:
        for done, job in enumerate(jobs, start=1):
            truth |= _write_battery(job)
            if progress:
                progress(done, len(jobs))
    else:
        context = multiprocessing.get_context("spawn")
        # One process a core is faster than two processes that each use every core.
        with ProcessPoolExecutor(
            workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)
        ) as pool:
            for done, part in enumerate(pool.map(_write_battery, jobs), start=1):
                truth |= part
                if progress:
                    progress(done, len(jobs))
    text = json.dumps(truth, ensure_ascii=False, indent=1)
    (root / "truth.json").write_text(text, encoding="utf-8")


class _Places(NamedTuple):
    """The folders that a battery's pictures and labels go to."""

    ct: Path
    ct_labels: Path
    rgb: Path
    rgb_labels: Path


def _places(root: Path, spec: SyntheticLot, plan: BatteryPlan) -> _Places:
    if spec.form == "slices":
        images, labels = root / IMAGES, root / LABELS
        return _Places(
            images / CT_IMAGES, labels / CT_LABELS, images / RGB_IMAGES, labels / RGB_LABELS
        )
    own = root / f"{plan.number:03d}"
    return _Places(own / "ct", own / "ct", own / "rgb", own / "rgb")


def _write_battery(job: tuple[Path, SyntheticLot, BatteryPlan]) -> dict[str, Any]:
    root, spec, plan = job
    rng = np.random.default_rng([spec.seed, 1, plan.number])
    places = _places(root, spec, plan)
    if spec.form == "slices":
        internal: dict[str, Any] = {"internal": _write_slices(places, spec, plan, rng)}
    else:
        internal = write_body(places.ct, spec, plan)
    views = _write_views(places, spec, plan, rng)
    return {
        f"{plan.number:03d}": {
            "type": plan.battery_type,
            **internal,
            "external": [
                {"name": plan.external, "views": views, "visibility": plan.external_visibility}
            ]
            if plan.external and views
            else [],
        }
    }


def _write_slices(
    places: _Places, spec: SyntheticLot, plan: BatteryPlan, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Write the slices and return what is true of their defects."""
    counts = [len(part) for part in np.array_split(np.arange(spec.slices), len(AXES))]
    starts = rng.integers(0, max(1, 999 - max(counts)), len(AXES))
    # One or two axes, each as likely as another, among those with slices enough.
    chosen = rng.permutation(len(AXES))[: 1 + int(rng.random() < 0.4)]
    defective = {AXES[i] for i in chosen if counts[i]} if plan.internal else set()
    defects: list[Defect] = []
    style = style_of(spec.style)
    for axis, count, start in zip(AXES, counts, starts, strict=True):
        own = np.random.default_rng([spec.seed, 2, plan.number, ord(axis)])
        structure = build_structure(plan.battery_type, axis, spec.canvas, own, style)
        numbers = range(int(start), int(start) + count)
        if axis in defective:
            length = min(int(own.integers(*RUN_LENGTH)), count)
            first = numbers.start + int(own.integers(0, count - length + 1))
            seed = int(own.integers(1 << 31))
            last, shown = first + length - 1, plan.internal_visibility
            defects.append(Defect(str(plan.internal), axis, first, last, shown, seed))
        for number in numbers:
            through = [d for d in defects if d.axis == axis and d.first <= number <= d.last]
            noise = np.random.default_rng([spec.seed, 3, plan.number, ord(axis), number])
            picture, outlines = render_slice(structure, number, through, noise, spec.canvas)
            stem = f"CT_{plan.battery_type}_pouch_{plan.number:03d}_{axis}_{number:03d}"
            options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
            write_picture(places.ct / f"{stem}.jpg", picture, options)
            serial = AXES.index(axis) * 1000 + number
            label = label_of(
                plan,
                "ct",
                serial,
                picture.shape[::-1],
                f"{stem}.jpg",
                outlines,
                structure.image.shape[::-1],
            )
            if plan.battery_type == "module" and not through and noise.random() < 0.05:
                x0, y0, x1, y1 = structure.body
                outline = [x0, y0, x1, y0, x1, y1, x0, y1]
                label["swelling"] = {"swelling": True, "battery_outline": outline}
            write_json(places.ct_labels / f"{stem}.json", label)
    return [
        {
            "name": d.name,
            "class": class_table().class_of(d.name, "ct", plan.battery_type),
            "axis": d.axis,
            "numbers": list(range(d.first, d.last + 1)),
            "visibility": d.visibility,
        }
        for d in defects
    ]


def _write_views(
    places: _Places, spec: SyntheticLot, plan: BatteryPlan, rng: np.random.Generator
) -> list[int]:
    """Write the views and return the numbers of those that show a defect."""
    if spec.views == 0:
        return []
    exterior = build_exterior(
        spec.canvas, plan.external, plan.external_visibility, rng, style_of(spec.style)
    )
    showing = []
    angles = [2 * np.pi * number / spec.views for number in range(spec.views)]
    # Turned before the first view so that one of them shows the defect: three views and more
    # always catch it, one or two can leave it at the back or the limb.
    turn = 0.0
    if exterior.defect_mask is not None:
        for turn in (0.0, np.pi, np.pi / 2, -np.pi / 2, 0.0):
            if any(defect_in_sight(exterior, turn + angle) for angle in angles):
                break
    for number in range(spec.views):
        own = np.random.default_rng([spec.seed, 4, plan.number, number])
        angle = turn + angles[number]
        picture, outlines = render_view(exterior, angle, own)
        stem = f"view_{number:03d}"
        if spec.form == "slices":
            stem = f"RGB_cell_cylindrical_{plan.number:04d}_{number:03d}"
        options = [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL]
        write_picture(places.rgb / f"{stem}.png", picture[..., ::-1], options)
        serial = len(AXES) * 1000 + number
        size = picture.shape[1], picture.shape[0]
        label = label_of(plan, "rgb", serial, size, f"{stem}.png", outlines, None)
        write_json(places.rgb_labels / f"{stem}.json", label)
        if outlines:
            showing.append(number)
    return showing
