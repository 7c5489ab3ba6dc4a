"""`station demo --language` reaches the window, and stays out of the operator's settings."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from pathlib import Path
from PySide6.QtCore import QThread, QTimer
from PySide6.QtWidgets import QApplication
import app.cli.demo
from app.__main__ import app as commands
from app.application import make_application
from app.window.main_window import MainWindow
from inspection.console import run

app.cli.demo.prepare_demo_lot = lambda: Path(sys.argv[1])
make_application()

def close_once_open():
    for window in QApplication.topLevelWidgets():
        if not isinstance(window, MainWindow):
            continue
        lane = window.controller.findChild(QThread, "lane-ensemble")
        # The start is over: the lot has been looked at, the libraries are being imported.
        if window.announcements.toast.text and lane is not None and lane.isRunning():
            poll.stop()
            print(window.menuBar().actions()[0].text())
            window.close()

poll = QTimer()
poll.timeout.connect(close_once_open)
poll.start(100)
sys.exit(run(commands, "station", ["demo", "--language", "ko"]))
"""


@pytest.mark.long
def test_the_demo_window_opens_in_the_language_asked_for(tmp_path):
    (tmp_path / "lot").mkdir()  # without batteries: nothing is inspected
    settings = tmp_path / "settings.json"
    settings.write_text('{"language": "en"}', encoding="utf-8")
    homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("DATA", "CONFIG", "STATE")}
    choice = {"STATION_SETTINGS": str(settings), "STATION_LANGUAGE": "en"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "lot"],
        env={
            **os.environ, **homes, **choice,
            "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen", "PYTHONUTF8": "1",
        },
        capture_output=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "파일" in done.stdout
    # Closing has written the settings anew.
    written = json.loads(settings.read_text(encoding="utf-8"))
    assert written["geometry"]
    assert written["language"] == "en"
