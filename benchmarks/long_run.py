"""Watch the memory over a whole lot: resident megabytes after each battery, headless or windowed.

A growing curve is a leak. Models, libraries and caches are in memory after the fifth battery, so
that later ones are compared with it::

    python benchmarks/long_run.py --batteries 74
    python benchmarks/long_run.py --batteries 74 --window
    station lot LOT --batteries 1 --slices 1500 --views 200 --canvas 4000
    python benchmarks/long_run.py --lot LOT
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import openvino  # noqa: F401 - in memory from the start, like PyTorch
import psutil
from throughput import Setting

from inspection import __version__
from inspection.config import find_policy
from inspection.lot.scan import scan_lot
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.run.driver import inspect_into
from inspection.run.events import BatteryChanged, RunEvent
from inspection.run.lanes import build_lane
from inspection.run.plan import plan_rest
from inspection.session.creating import create_session
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.lane import resolve_device

MB = 1e6
SETTLED = 5


class Watch:
    """Resident memory after each battery, and its peak in between."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.libraries = self._resident()
        self.after: list[float] = []
        self.peak = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def battery(self, _result: object) -> None:
        """Note the memory now."""
        self.after.append(self._resident())

    def end(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            self.peak = max(self.peak, self._resident())

    def _resident(self) -> float:
        return self._process.memory_info().rss / MB


def headless(setting: Setting, watch: Watch, folder: Path) -> None:
    """Inspect the lot without a window."""
    policy = find_policy(setting.models.with_policy)
    with create_session(
        folder,
        lot=setting.lot,
        operator="",
        station="",
        language="en",
        config=policy.snapshot(),
        device=setting.device,
        models=[],
        version=__version__,
    ) as store:

        def follow(event: RunEvent) -> None:
            if isinstance(event, BatteryChanged):
                watch.battery(event.result)

        plan = plan_rest(store, setting.lot, setting.conditions)
        inspect_into(
            store, setting.lot, plan, build_lane, cancel=threading.Event(), on_event=follow
        )


def windowed(setting: Setting, watch: Watch, folder: Path) -> None:
    """Inspect the lot behind the window; every battery is shown once it is judged."""
    from PySide6.QtCore import QEventLoop

    from app.application import Station, make_application
    from app.settings import Settings, SettingsFile

    make_application()
    file = SettingsFile(folder / "settings.json")
    file.save(Settings(systems=("ensemble",)))
    station = Station(
        setting.models,
        folder / "sessions",
        file,
        build=lambda _system, lane: EnsembleLane(replace(lane, cache_dir=setting.cache)),
    )
    station.window.resize(1600, 960)
    station.window.show()
    loop = QEventLoop()
    controller = station.controller

    def follow(result: Any) -> None:
        if result.ensemble is not None:
            controller.choose(result.battery_id)
            watch.battery(result)

    controller.runner.battery_changed.connect(follow)
    controller.runner.ended.connect(loop.quit)
    controller._on_lot(setting.lot, autostart=True)
    loop.exec()
    station.window.close()


def main() -> None:
    """Inspect, watch, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lot", type=Path, help="an existing lot instead of a synthetic one")
    parser.add_argument("--batteries", type=int, default=74)
    parser.add_argument("--slices", type=int, default=12)
    parser.add_argument("--views", type=int, default=6)
    parser.add_argument("--canvas", type=int, default=512)
    parser.add_argument("--window", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = SyntheticLot(
            batteries=arguments.batteries,
            slices=arguments.slices,
            views=arguments.views,
            canvas=arguments.canvas,
            seed=5,
        )
        root = arguments.lot or write_lot(folder / "lot", spec)
        lot = scan_lot(root.resolve())
        models = ModelFolders((resource_path("models"),))
        setting = Setting(lot, models, resolve_device("auto"), folder, folder / "cache")
        watch = Watch()
        (windowed if arguments.window else headless)(setting, watch, folder)
        watch.end()
    print(json.dumps(figures(watch), indent=2))


def figures(watch: Watch) -> dict[str, Any]:
    """Return the growth from the fifth battery to the last, and the whole curve."""
    settled = watch.after[min(SETTLED, len(watch.after)) - 1]
    return {
        "batteries": len(watch.after),
        "growth": watch.after[-1] / settled - 1,
        "libraries_mb": round(watch.libraries),
        "peak_mb": round(watch.peak),
        "after_battery_mb": [round(value) for value in watch.after],
    }


if __name__ == "__main__":
    main()
