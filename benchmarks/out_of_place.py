"""What the gate stops of what is out of place, and what it stops of what is not.

    python benchmarks/out_of_place.py --normal LOT --normal LOT --labelled LOT --real FOLDER


Batteries of the first normal lot have their slices, or their views, replaced by pictures of each
kind of `odd_pictures.py` and of each subfolder of ``--real`` (pictures, multi-page TIFFs), by the
other modality's, or by one picture many times, or are made to stand out of the lot. "Before" is
the verdict on the same model outputs without the gate. Lots without a defect give the false
alarms, a labelled one escapes and overkill.
Everything that is printed is of the seed; real pictures are read, never written into the project.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from odd_pictures import KINDS, Pixels

from inspection.config import find_policy, load_gate
from inspection.gate.checks import check_of
from inspection.gate.lot import facts_of, lot_checks
from inspection.images.decoding import load_frame
from inspection.images.stack_grey import GreyPolicy, StackWindows
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import reference_levels
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.predictions import FailedPrediction, LaneEvent, Prediction
from inspection.records import Battery, ImageRef, Modality
from inspection.results import DEFECT_KINDS, ImageResult, Kind
from inspection.systems.ensemble.fusion import judge_images
from inspection.systems.ensemble.lane import EnsembleLane, image_result
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings

SLICES, VIEWS = 6, 3
SUFFIXES = frozenset({".tif", ".tiff", ".jpg", ".png", ".bmp"})


@dataclass(frozen=True, slots=True)
class Judged:
    """A battery's verdict with and without the gate, and the checks that it did not pass."""

    before: Kind
    after: Kind
    checks: frozenset[str]
    images: tuple[ImageResult, ...]


@dataclass(slots=True)
class Row:
    """A line of the table."""

    name: str
    seen: bool
    tried: int = 0
    caught: int = 0
    before: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)

    def add(self, judged: Judged) -> None:
        """Count a battery; only what is left to the operator counts as caught."""
        self.tried += 1
        self.caught += judged.after in ("review", "not_inspected")
        self.before[judged.before] += 1
        self.checks.update(judged.checks)


class Judge:
    """The ensemble's lane over lots, with the verdict that there would be without the gate."""

    def __init__(self, models: Path, cache: Path) -> None:
        self._folders = ModelFolders((models,))
        self._policy = find_policy(models)
        self._cache = cache
        self._lane: EnsembleLane | None = None

    def judge(self, root: Path, batteries: Sequence[Battery]) -> Iterator[tuple[Battery, Judged]]:
        """Yield every battery with what is said of it."""
        policy = self._policy.inspector
        grey = GreyPolicy(policy.grey_window, reference_levels(self._folders))
        settings = LaneSettings(
            self._folders,
            root,
            policy,
            ImageChooser(policy.sampling, root, with_ensemble=True),
            cache_dir=self._cache,
            greys=StackWindows(grey),
            gate=load_gate(),
        )
        if self._lane is None:
            self._lane = EnsembleLane(settings)
            self._lane.load()
        self._lane.settings = settings
        for battery in batteries:
            outcomes: list[Prediction | FailedPrediction] = []

            def keep(event: LaneEvent, kept: list[Any] = outcomes) -> None:
                if isinstance(event, Prediction | FailedPrediction):
                    kept.append(event)

            result = self._lane.inspect(battery, threading.Event(), keep)
            plain = [
                image_result(replace(o, gate=None) if isinstance(o, Prediction) else o, root)
                for o in outcomes
            ]
            problem = result.grey.problem if result.grey else None
            lost = [*battery.lost, *([problem] if problem else [])]
            before = judge_images(plain, len(battery.ct), len(battery.rgb), policy, lost=lost)
            assert result.verdict is not None
            said = [*result.gate, *(m for image in result.images for m in image.gate)]
            checks = frozenset(map(check_of, said))
            kinds = before.verdict.kind, result.verdict.kind
            yield battery, Judged(*kinds, checks, result.images)

    def close(self) -> None:
        """Let go of the models."""
        if self._lane is not None:
            self._lane.close()


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=resource_path("models"))
    parser.add_argument("--normal", type=Path, action="append", required=True)
    parser.add_argument("--labelled", type=Path, action="append", default=[])
    parser.add_argument("--real", type=Path)
    parser.add_argument("--batteries", type=int, default=5, help="of each kind")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "gate-cache")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    judge = Judge(asked.models, asked.cache)
    rows = []
    standing_out = lot_rows(judge, asked.normal[0], asked.batteries)
    for row in chain(odd_rows(judge, asked), standing_out):
        print_row(row)
        rows.append(row)
    tried, caught = sum(r.tried for r in rows), sum(r.caught for r in rows)
    print(
        f"caught {caught} of {tried}; of unseen kinds "
        f"{sum(r.caught for r in rows if not r.seen)} of {sum(r.tried for r in rows if not r.seen)}"
    )
    figures: dict[str, Any] = {"caught": caught, "tried": tried}
    figures["normal"] = [false_alarms(judge, lot) for lot in asked.normal]
    figures["labelled"] = [labelled(judge, lot) for lot in asked.labelled]
    judge.close()
    if asked.json is not None:
        table = [{"kind": r.name, "seen": r.seen, "tried": r.tried, "caught": r.caught,
                  "before": dict(r.before), "checks": dict(r.checks)} for r in rows]  # fmt: skip
        asked.json.write_text(json.dumps({**figures, "rows": table}, indent=1), encoding="utf-8")


def print_row(row: Row) -> None:
    """Print a line of the table."""
    before = ", ".join(f"{kind} {count}" for kind, count in row.before.most_common())
    checks = ", ".join(f"{check} {count}" for check, count in row.checks.most_common())
    mark = " " if row.seen else "*"
    print(
        f"{mark} {row.name:32s} {row.caught:3d} of {row.tried:3d}   {before:44s} {checks}",
        flush=True,
    )


# -- out of place -------------------------------------------------------------------------------


def odd_rows(judge: Judge, asked: argparse.Namespace) -> Iterator[Row]:
    """Yield a line for each kind, on slices and on views."""
    lot = scan_lot(asked.normal[0])
    real = real_pictures(asked.real) if asked.real else {}
    makes: dict[str, tuple[bool, Callable[[np.random.Generator, Pixels], Pixels]]] = {
        name: (odd.seen, odd.make) for name, odd in KINDS.items()
    }
    for name, pictures in real.items():
        makes[f"real: {name}"] = (True, _drawn(pictures))
    for modality in ("ct", "rgb"):
        for number, (name, (seen, make)) in enumerate(makes.items()):
            rng = np.random.default_rng([asked.seed, number])
            yield _row(judge, f"{modality}: {name}", seen, lot.pairs, asked.batteries,
                       lambda b, r=rng, m=make, k=modality: _replaced(b, k, r, m))  # fmt: skip
    arranged: dict[str, tuple[bool, Callable[[Battery, Battery], Batch]]] = {
        "ct: views in their place": (True, lambda b, _: (b.rgb[:VIEWS] * 2, b.rgb[:VIEWS])),
        "rgb: slices in their place": (True, lambda b, _: (_stack(b), b.ct[:VIEWS])),
        "ct: one slice many times": (True, lambda b, _: (b.ct[4:5] * SLICES, b.rgb[:VIEWS])),
        "rgb: one view many times": (True, lambda b, _: (_stack(b), b.rgb[:1] * 4)),
        "ct: half cell, half module": (
            False, lambda b, c: ((*_stack(b)[:3], *_stack(c)[:3]), b.rgb[:VIEWS])
        ),
    }  # fmt: skip
    cells = [b for b in lot.pairs if b.battery_type == "cell"]
    modules = [b for b in lot.pairs if b.battery_type == "module"]
    for name, (seen, arrange) in arranged.items():
        others = iter(modules)
        yield _row(judge, name, seen, cells, asked.batteries,
                   lambda b, a=arrange, o=others: a(b, next(o)))  # fmt: skip


Batch = tuple[Sequence[ImageRef | Pixels], Sequence[ImageRef | Pixels]]


def _stack(battery: Battery) -> tuple[ImageRef, ...]:
    """Return neighbouring slices of one axis, as many as are taken."""
    return tuple(ref for ref in battery.ct if ref.axis == battery.ct[-1].axis)[:SLICES]


def _row(
    judge: Judge,
    name: str,
    seen: bool,
    batteries: Sequence[Battery],
    count: int,
    make: Callable[[Battery], Batch],
) -> Row:
    row = Row(name, seen)
    with tempfile.TemporaryDirectory() as folder:
        for battery in batteries[:count]:
            write_battery(Path(folder) / battery.battery_id, make(battery))
        root = Path(folder)
        for _, judged in judge.judge(root, scan_lot(root).batteries):
            row.add(judged)
    return row


def write_battery(folder: Path, batch: Batch) -> None:
    """Write slices and views as a battery of the plain layout."""
    for part, images in zip(("ct", "rgb"), batch, strict=True):
        place = folder / part
        place.mkdir(parents=True)
        for number, image in enumerate(images):
            stem = f"z_{number:03d}" if part == "ct" else f"v_{number:03d}"
            if isinstance(image, ImageRef):
                shutil.copy(image.path, place / f"{stem}{image.path.suffix}")
            else:
                pixels = image if image.ndim == 2 else image[:, :, ::-1]
                (place / f"{stem}.png").write_bytes(cv2.imencode(".png", pixels)[1])


def _replaced(
    battery: Battery,
    modality: Modality,
    rng: np.random.Generator,
    make: Callable[[np.random.Generator, Pixels], Pixels],
) -> Batch:
    slices, views = _stack(battery), battery.rgb[:VIEWS]
    odd = [
        make(rng, np.asarray(load_frame(ref.path, modality), np.uint8))
        for ref in (slices if modality == "ct" else views)
    ]
    return (odd, views) if modality == "ct" else (slices, odd)


def real_pictures(folder: Path) -> dict[str, list[Pixels]]:
    """Return the pictures of each subfolder; of a file of many pages, some from its middle."""
    found: dict[str, list[Pixels]] = {}
    for sub in sorted(path for path in folder.iterdir() if path.is_dir()):
        pictures: list[Pixels] = []
        files = [
            path
            for path in sorted(sub.rglob("*"))
            # A mask has its picture's stem.
            if path.suffix in SUFFIXES
            and not (path.suffix == ".png" and path.with_suffix(".jpg").exists())
        ]
        for path in files[:: -(-len(files) // 40) or 1]:
            if path.suffix.lower() in (".tif", ".tiff"):
                pages = np.stack(cv2.imreadmulti(str(path), flags=cv2.IMREAD_UNCHANGED)[1])
                for axis in range(3):
                    for at in np.linspace(0.3, 0.7, 10) * pages.shape[axis]:
                        pictures.append(np.ascontiguousarray(pages.take(int(at), axis)))
            else:
                data = np.frombuffer(path.read_bytes(), np.uint8)
                pictures.append(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8))
        if pictures:
            found[sub.name] = pictures
    return found


def _drawn(pictures: Sequence[Pixels]) -> Callable[[np.random.Generator, Pixels], Pixels]:
    def draw(rng: np.random.Generator, _real: Pixels) -> Pixels:
        picture = pictures[int(rng.integers(len(pictures)))]
        height, width = (int(side * rng.uniform(0.6, 1.0)) for side in picture.shape[:2])
        top = int(rng.integers(picture.shape[0] - height + 1))
        left = int(rng.integers(picture.shape[1] - width + 1))
        return np.ascontiguousarray(picture[top : top + height, left : left + width])

    return draw


# -- in place -----------------------------------------------------------------------------------


def false_alarms(judge: Judge, lot: Path) -> dict[str, Any]:
    """Return how many batteries of a lot without a defect the gate stops, and print it."""
    scanned = scan_lot(lot)
    judged = list(judge.judge(scanned.root, scanned.batteries))
    facts = {b.battery_id: facts_of(j.images, b) for b, j in judged}
    of_lot = lot_checks(facts, load_gate())
    stopped = {b.battery_id for b, j in judged if j.checks} | of_lot.keys()
    images = sum(len(j.images) for _, j in judged)
    failed = sum(bool(image.gate) for _, j in judged for image in j.images)
    checks = Counter(c for _, j in judged for c in j.checks)
    checks.update(check_of(m) for found in of_lot.values() for m in found)
    print(f"{lot.name}: {len(stopped)} of {len(judged)} batteries, {failed} of {images} images: "
          f"{dict(checks)}", flush=True)  # fmt: skip
    return {"lot": lot.name, "batteries": len(judged), "stopped": len(stopped), "images": images,
            "images_stopped": failed, "checks": dict(checks)}  # fmt: skip


def lot_rows(judge: Judge, lot: Path, count: int) -> Iterator[Row]:
    """Yield a line for each way in which a battery stands out of its lot, otherwise being normal.

    Caught is what the checks of the whole lot stop; nothing of it was looked at while their limits
    were chosen.
    """
    scanned = scan_lot(lot)
    facts = {b.battery_id: facts_of(j.images, b)
             for b, j in judge.judge(scanned.root, scanned.batteries)}  # fmt: skip

    def larger(ref: ImageRef) -> Pixels:
        pixels = np.asarray(load_frame(ref.path, "ct"), np.uint8)
        return np.asarray(cv2.resize(pixels, None, fx=2.3, fy=2.3), np.uint8)

    def brighter(ref: ImageRef) -> Pixels:
        return np.clip(load_frame(ref.path, "rgb").astype(np.int16) + 90, 0, 255).astype(np.uint8)

    ways: dict[str, Callable[[Battery, Battery], Batch]] = {
        "lot: a third of the slices": (lambda b, _: (b.ct[:4], b.rgb)),
        "lot: slices of another size": (lambda b, _: ([larger(r) for r in b.ct], b.rgb)),
        "lot: views in another light": (lambda b, _: (b.ct, [brighter(r) for r in b.rgb])),
        "lot: slices of another battery": (lambda b, o: (o.ct, b.rgb)),
    }
    for name, way in ways.items():
        row = Row(name, seen=False)
        for battery, other in zip(scanned.pairs[:count], scanned.pairs[1:], strict=False):
            with tempfile.TemporaryDirectory() as folder:
                root = Path(folder)
                write_battery(root / battery.battery_id, way(battery, other))
                for made, judged in judge.judge(root, scan_lot(root).batteries):
                    altered = facts_of(judged.images, battery)
                    found = lot_checks({**facts, made.battery_id: altered}, load_gate())
                    checks = frozenset(map(check_of, found.get(made.battery_id, ())))
                    after: Kind = "review" if checks else judged.after
                    row.add(replace(judged, after=after, checks=checks))
        yield row


def labelled(judge: Judge, lot: Path) -> dict[str, Any]:
    """Return escapes and overkill of a synthetic lot before and after the gate, and print them."""
    truth = json.loads((lot / "truth.json").read_text(encoding="utf-8"))
    scanned = scan_lot(lot)
    counts: Counter[str] = Counter()
    for battery, judged in judge.judge(scanned.root, scanned.batteries):
        own = truth[battery.battery_id]
        defective = bool(own["internal"] or own["external"])
        counts["defective" if defective else "good"] += 1
        for name, verdict in (("before", judged.before), ("after", judged.after)):
            counts[f"escapes_{name}"] += defective and verdict == "normal"
            counts[f"overkill_{name}"] += not defective and verdict in DEFECT_KINDS
            counts[f"review_{name}"] += verdict == "review"
        counts["defective_stopped"] += defective and bool(judged.checks)
        counts["good_stopped"] += not defective and bool(judged.checks)
    print(f"{lot.name}: {dict(counts)}", flush=True)
    return {"lot": lot.name, **counts}


if __name__ == "__main__":
    main()
