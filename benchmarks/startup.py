"""Time from launching the window to its first paint, and to the first verdict of the demo lot.

Each start is a process of its own, as a user's is; the first one may fill caches and is told
apart. Needs a display, or uses Qt's offscreen one::

    python benchmarks/startup.py --starts 4
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.cli.demo import prepare_demo_lot

DRIVER = """
import os, sys, time
from pathlib import Path
from PySide6.QtCore import QObject, QTimer, QEvent
from app.application import WARM_UP_MS, Station, make_application
from app.folders import model_folders
from app.settings import SettingsFile

launched, lot, folder = float(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
app = make_application()
station = Station(model_folders(None), folder / "sessions", SettingsFile(folder / "settings.json"))

class FirstPaint(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            station.window.removeEventFilter(self)
            QTimer.singleShot(0, lambda: print("window", time.time() - launched, flush=True))
        return False

paint = FirstPaint()
station.window.installEventFilter(paint)
station.window.show()
QTimer.singleShot(WARM_UP_MS, station.controller.runner.warm_up)

def first(result):
    if result.ensemble is not None:
        print("result", time.time() - launched, flush=True)
        station.controller.runner.cancel()

station.controller.runner.battery_changed.connect(first)
station.controller.runner.ended.connect(app.quit)
station.controller.open_lot(lot, autostart=True)
app.exec()
station.controller.shut_down()
# What a script's top level holds of Qt dies in no good order at its end.
os._exit(0)
"""


def start(lot: Path) -> dict[str, float]:
    """Launch once; return seconds to the window and to the first result."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, str(time.time()), str(lot), folder],
            check=True,
            capture_output=True,
            text=True,
            env={"QT_QPA_PLATFORM": "offscreen", **os.environ},
        )
    lines = (line.split() for line in done.stdout.splitlines())
    return {words[0]: float(words[1]) for words in lines if words and words[0] != "qt"}


def main() -> None:
    """Start several times and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--starts", type=int, default=4)
    arguments = parser.parse_args()
    lot = prepare_demo_lot()
    first, *rest = (start(lot) for _ in range(max(2, arguments.starts)))
    median = {name: statistics.median(s[name] for s in rest) for name in first}
    print(json.dumps({"first": first, "median_of_later": median}, indent=2))


if __name__ == "__main__":
    main()
