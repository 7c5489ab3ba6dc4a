"""Time three linked planes on a large volume: the first picture, and the crosshair while it moves.

A cube of 16-bit voxels is written as a TIFF stack, as raw data with a header and as a DICOM series;
each is shown in the window, offscreen. The crosshair is dragged across z, which changes the planes
across x and y, and then stepped along z. Told are, in milliseconds, the median, the 95th
percentile and the longest of

- ``crosshair``: from a move of the mouse until all three planes have painted the crosshair there;
- ``planes``: until the three planes are those that it asks for.

The file is in the page cache, as one that was just written or inspected is::

    python benchmarks/planes.py --side 1000 --folder /tmp/planes
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from cube import peak_mib, write_cube
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication

from app.application import Station, make_application
from app.panels.planes import PlanesView
from app.settings import SettingsFile
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.records import Battery, ImageRef, Lot, Section, VolumeRef
from inspection.synthetic.volume_files import WRITERS
from inspection.volumes.planes import AXES

MOVES = 60
SECONDS = 60
STEP = 50
"""Of the planes that count as inspected; the others are looked at all the same."""


class Painted(QObject):
    """Knows which planes have been painted since it was last asked."""

    def __init__(self, planes: PlanesView) -> None:
        super().__init__()
        self._planes = planes
        self.axes: set[str] = set()
        for view in planes.views.values():
            view.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: a plane is about to be painted."""
        if event.type() == QEvent.Type.Paint:
            self.axes |= {a for a, v in self._planes.views.items() if v.viewport() is watched}
        return False


def wait(until, seconds: float = SECONDS) -> float:
    """Let the window work until something is so; return seconds."""
    begun = time.perf_counter()
    while not until():
        if time.perf_counter() - begun > seconds:
            raise TimeoutError
        QApplication.processEvents()
    return time.perf_counter() - begun


def settled(planes: PlanesView) -> bool:
    """Return whether every plane is the one that the crosshair asks for."""
    found = [(view.found, planes.cross.along(axis)) for axis, view in planes.views.items()]
    return all(one is not None and one.wanted == n and not one.rough for one, n in found)


def measure(ref: VolumeRef, side: int, folder: Path) -> dict[str, object]:
    """Show a volume, move the crosshair, and return what it took."""
    refs = tuple(
        ImageRef(ref.path, "ct", "001", axis, n, None, None, None, Section(ref, axis, n))
        for axis in AXES
        for n in range(0, side, STEP)
    )
    models = ModelFolders((resource_path("models"),))
    station = Station(models, folder / "sessions", SettingsFile(folder / "settings.json"))
    station.window.resize(1600, 960)
    station.window.show()
    station.window.actions_["planes"].setChecked(True)
    station.window.pages.setCurrentWidget(station.window.workbench)
    planes = station.window.panels["ct"].planes
    painted = Painted(planes)
    begun = time.perf_counter()
    station.controller.show_lot(Lot(ref.path.parent, (Battery("001", "001", None, refs),)))
    wait(lambda: any(view.found is not None for view in planes.views.values()))
    first = time.perf_counter() - begun
    wait(lambda: settled(planes))
    whole = time.perf_counter() - begun
    crosshair, sharp = [], []
    rng = np.random.default_rng(2)
    for move in range(MOVES):
        painted.axes.clear()
        begun = time.perf_counter()
        if move < MOVES * 2 // 3:
            x, y = rng.uniform(0.2 * side, 0.8 * side, 2)
            planes.views["z"].picked.emit((float(x), float(y)))
        else:
            planes.step(1)
        wait(lambda: len(painted.axes) == len(AXES))
        crosshair.append(time.perf_counter() - begun)
        wait(lambda: settled(planes))
        sharp.append(time.perf_counter() - begun)
    memory = peak_mib()
    station.window.conversations.close_confirmed.emit()
    station.discard_window()
    return {
        "first_picture_s": round(first, 2),
        "three_planes_s": round(whole, 2),
        "crosshair_ms": spread(crosshair),
        "planes_ms": spread(sharp),
        "largest_memory_mib": memory,
    }


def spread(seconds: list[float]) -> dict[str, float]:
    """Return median, 95th percentile and longest in milliseconds."""
    named = zip(("median", "p95", "longest"), np.percentile(seconds, (50, 95, 100)), strict=True)
    return {name: round(float(value) * 1000, 1) for name, value in named}


def main() -> None:
    """Measure each way to write a volume, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=1000)
    parser.add_argument("--kinds", default=",".join(WRITERS))
    parser.add_argument("--folder", type=Path, help="where volumes are kept for another time")
    arguments = parser.parse_args()
    make_application()
    with tempfile.TemporaryDirectory() as folder:
        root = arguments.folder or Path(folder)
        for kind in arguments.kinds.split(","):
            ref = write_cube(kind, root / f"{kind}-{arguments.side}", arguments.side)
            found = measure(ref, arguments.side, Path(folder))
            print(json.dumps({"kind": kind, "side": arguments.side, **found}), flush=True)


if __name__ == "__main__":
    main()
