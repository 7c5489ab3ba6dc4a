"""The window's process ends well, whatever was drawn in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders.ensemble_models import copy_ensemble

from inspection.synthetic import SyntheticLot, write_lot

ROOT = Path(__file__).resolve().parents[2]
ONCE_DRAWN = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from app.application import make_application, run
from app.widgets.plots import Plots
from inspection.modelstore.folders import ModelFolders

lot, models, sessions = map(Path, sys.argv[1:])
make_application()

def close_once_drawn():
    for window in QApplication.topLevelWidgets():
        controller = getattr(window, "controller", None)
        if controller is None or not controller.rows:
            continue
        if all(row.kind is not None for row in controller.rows.values()):
            drawn = window.findChild(Plots).module is not None
            if drawn and controller.runner.phase == "idle":
                poll.stop()
                QTimer.singleShot(500, window.close)

poll = QTimer()
poll.timeout.connect(close_once_drawn)
poll.start(200)
sys.exit(run(lot, ModelFolders((models,)), sessions, autostart=True))
"""


AT_ONCE = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from app.application import make_application, run
from inspection.modelstore.folders import ModelFolders

lot, models, sessions = map(Path, sys.argv[1:])
make_application()
QTimer.singleShot(0, lambda: [window.close() for window in QApplication.topLevelWidgets()])
sys.exit(run(lot, ModelFolders((models,)), sessions))
"""


@pytest.fixture(scope="module")
def lot(tmp_path_factory) -> Path:
    spec = SyntheticLot(batteries=2, slices=6, views=2, canvas=160, seed=2)
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", spec)


@pytest.mark.parametrize("script", [ONCE_DRAWN, AT_ONCE], ids=["once drawn", "at once"])
def test_a_window_ends_without_a_crash(lot, tmp_path, script):
    models = copy_ensemble(tmp_path / "models")
    homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("DATA", "CONFIG", "STATE")}
    done = subprocess.run(
        [sys.executable, "-c", script, lot, models, tmp_path / "sessions"],
        env={**os.environ, **homes, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
