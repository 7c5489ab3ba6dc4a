"""Drive a window by its keys: inspect a lot, decide its batteries, and say what is on the disk.

Started as a program of its own: ``window.py LOT SESSIONS SEED``. It opens the newest
session there is and goes on with it. What it says stands in lines that begin with `MARK`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from random import Random
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from app.application import Station, make_application
from app.settings import SettingsFile
from fault_parts.window_said import MARK
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.session.record import BatterySummary

PACE_MS = 25
GIVE_UP_MS = 240_000
UNDO_SHARE = 0.2
CHANGE_SHARE = 0.15
VERDICT_3 = "external_defect"
REASON = "seen by eye"


class Operator(QObject):
    """Looks at the window now and then, and presses a key where there is something to do."""

    def __init__(self, station: Station, random: Random) -> None:
        super().__init__(station)
        self._station = station
        self._random = random
        self._verdicts: set[str] = set()
        self._told = ""
        self._started = False
        self._waiting = ""
        self._answers: list[str] = []
        station.controller.writer.decisions.decided.connect(self._on_decided)
        station.controller.failed.connect(self._on_failed)
        timer = QTimer(self)
        timer.timeout.connect(self._look)
        timer.start(PACE_MS)
        QTimer.singleShot(GIVE_UP_MS, self, self._give_up)

    def _give_up(self) -> None:
        say(told=f"not everything was inspected and decided: {sorted(self._verdicts)}")
        os._exit(1)

    def _look(self) -> None:
        controller, window = self._station.controller, self._station.window
        self._tell()
        record = controller.writer.record
        if controller.lot is None or not controller.rows:
            return
        if not self._started:
            if window.actions_["start"].isEnabled():
                self._started = True
                QTest.keyClick(window, Qt.Key.Key_F5)
            return
        dialog = QApplication.activeModalWidget()
        if dialog is not None and dialog.isActiveWindow() and self._answers:
            # One at a time: a dialog that has only just opened hears nothing yet.
            answer = self._answers.pop(0)
            if answer == REASON:
                QTest.keyClicks(QApplication.focusWidget(), answer)
            else:
                QTest.keySequence(dialog, QKeySequence(answer))
        if record is None or self._waiting or dialog is not None:
            return
        if not window.isActiveWindow():
            # A dialog has just gone: keys would go nowhere.
            window.activateWindow()
            return
        rows = [row for row in controller.rows.values() if row.battery_id in self._verdicts]
        undecided = [row for row in rows if row.decision is None and row.kind]
        decided = [row for row in rows if row.decision is not None]
        again = self._random.random()
        if decided and undecided and again < UNDO_SHARE:
            self._press("undo", decided[-1].battery_id)
        elif decided and undecided and again < UNDO_SHARE + CHANGE_SHARE:
            self._press("change", self._random.choice(decided).battery_id)
        elif undecided:
            row = self._random.choice(undecided)
            self._press("override" if row.kind == "review" else "accept", row.battery_id)
        elif controller.runner.phase == "idle":
            if self._verdicts >= controller.rows.keys():
                window.close()
            elif any(row.state == "failed" for row in controller.rows.values()):
                # Tried again, as an operator would.
                self._started = False

    def _press(self, name: str, battery_id: str) -> None:
        """Press an action's keys on a battery, and those of the dialog that it opens."""
        controller, action = self._station.controller, self._station.window.actions_[name]
        controller.choose(battery_id)
        if not action.isEnabled():
            return
        self._waiting = battery_id
        say(asked=battery_id)
        QTest.keySequence(self._station.window, action.shortcut())
        decision = controller.rows[battery_id].decision
        # A digit says the verdict: another one than what stands, then with a reason.
        digit = "3" if decision and decision.kind != VERDICT_3 else "2"
        self._answers = [digit, *([REASON] if name == "change" else []), "Ctrl+Return"]

    def _on_decided(self, row: BatterySummary) -> None:
        self._waiting = ""
        decision = row.decision.model_dump(mode="json") if row.decision else None
        say(decided=row.battery_id, decision=decision)

    def _on_failed(self, _error: Exception) -> None:
        # Told by the window as well; what was asked for will not come.
        self._waiting = ""

    def _tell(self) -> None:
        record = self._station.controller.writer.record
        for row in record.batteries if record else ():
            if row.state == "done" and row.battery_id not in self._verdicts:
                self._verdicts.add(row.battery_id)
                say(verdict=row.battery_id)
        window = self._station.window
        labels = window.banner.findChildren(QLabel) if window.banner.isVisible() else []
        told = " ".join([window.announcements.toast.text, *(one.text() for one in labels)]).strip()
        if told and told != self._told:
            say(told=told)
        self._told = told


def say(**what: Any) -> None:
    """Say something to the benchmark."""
    print(MARK + json.dumps(what), flush=True)


def main() -> int:
    """Drive a window until everything is inspected and decided."""
    lot, sessions, seed = sys.argv[1:]
    make_application()
    station = Station(ModelFolders((resource_path("models"),)), Path(sessions), SettingsFile())
    station.errors.install()
    station.window.show()
    Operator(station, Random(seed))
    folders = sorted(Path(sessions).glob("*/session.json"))
    if folders:
        station.controller.open_session(folders[-1].parent)
    else:
        station.controller.open_lot(Path(lot))
    code = QApplication.exec()
    station.discard_window()
    return code


if __name__ == "__main__":
    sys.exit(main())
