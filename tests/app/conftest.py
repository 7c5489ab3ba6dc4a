"""A small real lot, a lane that knows its answers, and nothing left over after a test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders.uninstalled_lane import UninstalledLane
from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QThread, QTimer
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid

from app.application import Station, make_application
from app.settings import SettingsFile
from app.wording import languages
from inspection.classes import class_table
from inspection.errors import InspectionError, LabelError
from inspection.images.preprocess import load_image
from inspection.lot.labels import read_label
from inspection.modelstore.folders import ModelFolders
from inspection.predictions import FailedPrediction, Prediction
from inspection.records import Battery, ImageRef, Rect
from inspection.results import ModelProvenance, Peak, SystemName
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.lane import LaneSettings

MAP_SIDE = 32


class LabelLane(EnsembleLane):
    """The ensemble with the labels in the models' place: everything but the networks is real.

    ``gate``, where given, is waited for before each image, so that a test can hold a run.
    """

    gate: threading.Event | None = None

    def load(self) -> list[ModelProvenance]:
        return [ModelProvenance(slot="ct_cnn", name="labels", sha256="0" * 64)]

    def _predict(
        self, battery: Battery, cancel: threading.Event
    ) -> Iterator[Prediction | FailedPrediction]:
        for ref in (*battery.ct, *battery.rgb):
            while self.gate is not None and not self.gate.wait(0.01) and not cancel.is_set():
                pass
            if cancel.is_set():
                return
            yield _predicted(ref)


def _predicted(ref: ImageRef) -> Prediction | FailedPrediction:
    try:
        data = load_image(ref.path, modality=ref.modality)
    except InspectionError as error:
        return FailedPrediction(ref, error)
    roi = data.roi
    heat = _heat(ref, roi)
    y, x = np.unravel_index(int(heat.argmax()), heat.shape)
    value = float(heat.max())
    label = _class(ref, value > 0.5)
    probabilities = {}
    if ref.modality == "ct":
        probabilities = {name: 0.92 if name == label else 0.02 for name in class_table().ct}
    score = sum(probabilities.get(name, 0.0) for name in class_table().ct_defects)
    return Prediction(
        image=ref,
        pred_label=label,
        probabilities=probabilities,
        pred_score=score if ref.modality == "ct" else 0.01 + 0.05 * value,
        threshold=0.5 if ref.modality == "ct" else 0.03,
        anomaly_map=heat,
        roi=roi,
        source_size=data.source_size,
        pred_boxes=(),
        peak=Peak(
            x=roi.x + int(x) * roi.w // MAP_SIDE, y=roi.y + int(y) * roi.h // MAP_SIDE, value=value
        ),
        seconds=0.001,
    )


def _class(ref: ImageRef, defect: bool) -> str:
    if ref.modality == "rgb":
        return "defect" if defect else "normal"
    return f"{ref.battery_type or 'cell'}_{'porosity' if defect else 'normal'}"


def _heat(ref: ImageRef, roi: Rect) -> np.ndarray:
    heat = np.zeros((MAP_SIDE, MAP_SIDE), np.float32)
    if ref.label_path is None:
        return heat
    try:
        label = read_label(ref.label_path)
    except LabelError:
        return heat
    for defect in label.defects:
        for px, py in defect.points:
            column = int((px - roi.x) / roi.w * MAP_SIDE)
            line = int((py - roi.y) / roi.h * MAP_SIDE)
            if 0 <= column < MAP_SIDE and 0 <= line < MAP_SIDE:
                heat[line, column] = 1.0
    blurred = cv2.GaussianBlur(heat, (0, 0), 1.5)
    return np.clip(blurred / max(1e-6, float(blurred.max())) * float(heat.max()), 0, 1)


class BrokenLane(EnsembleLane):
    """A system whose library fails in a way nobody foresaw, on every battery."""

    def load(self) -> list[ModelProvenance]:
        return []

    def _predict(
        self, battery: Battery, cancel: threading.Event
    ) -> Iterator[Prediction | FailedPrediction]:
        raise RuntimeError("out of memory")
        yield


def build_label_lane(system: SystemName, settings: LaneSettings) -> EnsembleLane | UninstalledLane:
    return LabelLane(settings) if system == "ensemble" else UninstalledLane(system, settings)


def build_broken_lane(system: SystemName, settings: LaneSettings) -> EnsembleLane | UninstalledLane:
    return BrokenLane(settings) if system == "ensemble" else UninstalledLane(system, settings)


@pytest.fixture
def broken():
    """Build an ensemble that fails on every battery."""
    return build_broken_lane


@pytest.fixture
def gated():
    """Return a maker of lanes that wait for a gate before each image."""

    def with_gate(gate: threading.Event):
        def build(system: SystemName, settings: LaneSettings):
            lane = build_label_lane(system, settings)
            if isinstance(lane, LabelLane):
                lane.gate = gate
            return lane

        return build

    return with_gate


@pytest.fixture(scope="session")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six batteries, half of them defective, in the layout of a real lot."""
    spec = SyntheticLot(batteries=6, slices=9, views=2, canvas=192, seed=11, defects=0.5)
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", spec)


@pytest.fixture(scope="session")
def judge(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Inspect a lot in a window, and return the session, to be copied."""

    def inspected(lot: Path, build: Callable[..., object]) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("STATION_LANGUAGE", "en")
            make_application()
            maker = StationMaker(tmp_path_factory.mktemp("judged"))
            controller = maker(build).controller
            ended = QEventLoop()
            controller.runner.ended.connect(ended.quit)
            QTimer.singleShot(60_000, ended, ended.quit)
            controller.open_lot(lot, autostart=True)
            ended.exec()
            folder = controller.writer.folder
            maker.close_all()
        assert folder is not None
        return folder

    return inspected


@pytest.fixture(scope="session")
def judged_session(judge: Callable[..., Path], lot: Path) -> Path:
    """A session in which every battery of the lot is judged; to be copied, not to be changed."""
    return judge(lot, build_label_lane)


@pytest.fixture
def application(qapp: QApplication) -> QApplication:
    return make_application()


@pytest.fixture
def stations(
    application: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StationMaker]:
    """Make stations that share sessions and settings; all are closed, and nothing is left."""
    monkeypatch.setenv("STATION_LANGUAGE", "en")
    threads_before = set(threading.enumerate())
    maker = StationMaker(tmp_path)
    yield maker
    maker.close_all()
    left = [t.name for t in threading.enumerate() if t not in threads_before and t.is_alive()]
    assert not [name for name in left if not name.startswith("Dummy")], left
    assert not [t for t in maker.qthreads if isValid(t) and t.isRunning()]
    assert not [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
    assert not [timer for timer in maker.timers if isValid(timer) and timer.isActive()]
    languages.use("en")


class StationMaker:
    """Opens stations as a start of the program does."""

    def __init__(self, folder: Path) -> None:
        self.sessions = folder / "sessions"
        self.settings_path = folder / "settings.json"
        self.stations: list[Station] = []
        self.qthreads: list[QThread] = []
        self.timers: list[QTimer] = []

    def __call__(self, build=build_label_lane, operator: str = "Kim") -> Station:
        if operator and not self.settings_path.exists():
            self.settings_path.write_text(
                f'{{"operator": "{operator}", "language": "en", "theme": "dark"}}',
                encoding="utf-8",
            )
        station = Station(
            ModelFolders((self.sessions.parent / "models",)),
            self.sessions,
            SettingsFile(self.settings_path),
            build,
        )
        station.window.show()
        self.stations.append(station)
        self.qthreads += station.findChildren(QThread)
        self.timers += station.window.findChildren(QTimer)
        return station

    def close(self, station: Station) -> None:
        """Close a window for good, as its close button would after a yes."""
        station.window.conversations.close_confirmed.emit()
        assert not station.window.isVisible()

    def close_all(self) -> None:
        for station in self.stations:
            if station.window.isVisible():
                self.close(station)
            station.window.deleteLater()
            station.deleteLater()
        self.stations.clear()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
