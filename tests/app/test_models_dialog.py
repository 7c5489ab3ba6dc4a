from __future__ import annotations

import json
import shutil
import socket
import threading
import zipfile
from pathlib import Path

import pytest
import yaml
from builders.ensemble_models import copy_ensemble
from builders.tiny_vlm import write_tiny_vlm
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

import inspection.modelstore.install
from app.dialogs.download import DownloadDialog
from app.dialogs.models import SLOT_ROLE, ModelsDialog
from app.wording import languages
from inspection.modelstore.download import PARTIAL

WAIT = 30_000

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture(scope="module")
def vlm(tmp_path_factory) -> Path:
    return write_tiny_vlm(tmp_path_factory.mktemp("source") / "작은 모델")


@pytest.fixture
def opened(qtbot, stations):
    """Return a station with its model manager open, and the manager."""
    station = stations()
    station.window.actions_["models"].trigger()
    dialog = station.window.findChild(ModelsDialog)
    qtbot.waitUntil(lambda: dialog.slots.topLevelItemCount() > 0, timeout=WAIT)
    return station, dialog


def row_of(dialog: ModelsDialog, slot: str):
    for place in range(dialog.slots.topLevelItemCount()):
        item = dialog.slots.topLevelItem(place)
        if item.data(0, SLOT_ROLE) == slot:
            return item
    raise AssertionError(slot)


def texts(dialog: ModelsDialog, slot: str) -> list[str]:
    return [row_of(dialog, slot).text(place) for place in range(4)]


def choose(dialog: ModelsDialog, slot: str) -> None:
    dialog.slots.setCurrentItem(row_of(dialog, slot))


def confirm(dialog: ModelsDialog, name: str) -> None:
    box = dialog.findChild(QMessageBox, name)
    QTest.mouseClick(box.buttons()[0], Qt.MouseButton.LeftButton)


def idle(qtbot, dialog: ModelsDialog, slot: str, state: str) -> None:
    qtbot.waitUntil(lambda: not dialog._work.busy and texts(dialog, slot)[1] == state, timeout=WAIT)


def test_every_slot_is_listed_with_its_state(opened):
    _, dialog = opened
    found = {texts(dialog, slot)[1] for slot in ("ct_cnn", "rgb_ae", "ct_ae", "vlm", "vlg", "bert")}
    assert found == {"Not installed"}
    assert not dialog.verify.isEnabled()
    assert not dialog.remove.isEnabled()


def test_a_folder_is_installed_verified_and_removed(qtbot, opened, vlm):
    station, dialog = opened
    with qtbot.waitSignal(dialog._work.changed, timeout=WAIT):
        dialog.import_from(vlm)
    idle(qtbot, dialog, "vlm", "Installed")
    assert dialog.said.text() == "Installed: VLM."
    qtbot.waitUntil(lambda: dialog.chosen().slot == "vlm", timeout=WAIT)
    folder = station.controller.models.install / "vlm"
    digest = json.loads((folder / "model.json").read_text(encoding="utf-8"))["sha256"]
    assert dialog.details.values["sha256"].text() == digest
    dialog.details.copy.click()
    assert QGuiApplication.clipboard().text() == digest

    with qtbot.waitSignal(dialog._work.verified, timeout=WAIT):
        dialog.verify.click()
    assert "as it was installed" in dialog.said.text()

    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with qtbot.waitSignal(dialog._work.verified, timeout=WAIT):
        dialog.verify.click()
    assert "model.safetensors" in dialog.said.text()
    assert texts(dialog, "vlm")[1] == "Cannot be used"

    dialog.remove.click()
    confirm(dialog, "confirm_remove")
    idle(qtbot, dialog, "vlm", "Not installed")
    assert not folder.exists()


def test_a_zip_is_installed(qtbot, opened, vlm, tmp_path):
    _, dialog = opened
    archive = tmp_path / "모델.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in vlm.iterdir():
            zipped.write(path, path.name)
    dialog.import_from(archive)
    idle(qtbot, dialog, "vlm", "Installed")


def test_what_is_no_model_is_told_in_one_sentence_with_a_hint(qtbot, opened, tmp_path):
    _, dialog = opened
    (tmp_path / "empty").mkdir()
    with qtbot.waitSignal(dialog._work.failed, timeout=WAIT):
        dialog.import_from(tmp_path / "empty")
    assert "No model was recognised" in dialog.said.text()
    assert "Choose the folder" in dialog.said.text()
    assert dialog.import_folder.isEnabled()
    assert not dialog.progress.isVisible()


@pytest.fixture
def held(monkeypatch):
    """Hold an installation once it has copied its first bytes."""
    gate, reached = threading.Event(), threading.Event()
    add = inspection.modelstore.install.ByteCount.add

    def held_add(count, more):
        add(count, more)
        reached.set()
        gate.wait(30)

    monkeypatch.setattr(inspection.modelstore.install.ByteCount, "add", held_add)
    yield gate, reached
    gate.set()


def test_cancel_leaves_nothing_behind(qtbot, opened, vlm, held):
    gate, reached = held
    station, dialog = opened
    dialog.import_from(vlm)
    qtbot.waitUntil(lambda: reached.is_set() and "Copying" in dialog.progress.bytes.text())
    assert not dialog.import_folder.isEnabled()
    dialog.progress.cancel.click()
    with qtbot.waitSignal(dialog._work.cancelled, timeout=WAIT):
        gate.set()
    assert dialog.said.text() == "Cancelled; nothing was changed."
    left = {p.name for p in station.controller.models.install.iterdir()}
    assert left <= {".install.lock"}


def test_closing_while_at_work_asks_and_then_cancels(qtbot, opened, vlm, held):
    gate, reached = held
    station, dialog = opened
    dialog.import_from(vlm)
    qtbot.waitUntil(reached.is_set)
    dialog.close()
    assert dialog.isVisible()
    confirm(dialog, "confirm_cancel")
    with qtbot.waitSignal(dialog.rejected, timeout=WAIT):
        gate.set()
    assert not (station.controller.models.install / "vlm").exists()


def test_a_manager_opened_again_is_told_of_a_cancel_alone(qtbot, opened, vlm, held):
    gate, reached = held
    station, first = opened
    with qtbot.waitSignal(first.destroyed, timeout=WAIT):
        first.close()
    station.window.conversations.show_models()
    dialog = station.window.findChild(ModelsDialog)
    qtbot.waitUntil(lambda: dialog.slots.topLevelItemCount() > 0, timeout=WAIT)
    dialog.import_from(vlm)
    qtbot.waitUntil(reached.is_set)
    dialog.progress.cancel.click()
    with qtbot.waitSignal(dialog._work.cancelled, timeout=WAIT):
        gate.set()
    assert dialog.said.text() == "Cancelled; nothing was changed."


def test_closing_the_window_while_at_work_asks_and_then_ends_it(qtbot, stations, opened, vlm, held):
    gate, reached = held
    station, dialog = opened
    dialog.import_from(vlm)
    qtbot.waitUntil(reached.is_set)
    assert not station.window.close()
    assert station.window.findChild(QMessageBox, "confirm_close")
    station.window.conversations.model_work.cancel()
    gate.set()
    stations.close(station)
    assert not (station.controller.models.install / "vlm").exists()


def test_without_network_a_download_is_refused_in_one_sentence(qtbot, opened, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    _, dialog = opened
    dialog.fetch.click()
    chooser = dialog.findChild(DownloadDialog)
    assert not chooser.confirm.isEnabled()
    chooser.models.setCurrentItem(chooser.models.topLevelItem(0))
    assert "Qwen/Qwen2-VL-2B-Instruct" in chooser.note.text()
    with qtbot.waitSignal(dialog._work.failed, timeout=WAIT):
        chooser.confirm.click()
    assert dialog.said.text().startswith("The model hub cannot be reached.")


def test_a_licence_that_forbids_production_is_said_before_the_download(opened):
    _, dialog = opened
    chooser = DownloadDialog(dialog, dialog._catalogue)
    place = next(n for n, entry in enumerate(dialog._catalogue) if not entry.commercial)
    chooser.models.setCurrentItem(chooser.models.topLevelItem(place))
    assert "forbids" in chooser.note.text()
    assert "not for commercial use" in chooser.models.topLevelItem(place).text(3)
    chooser.other.setText("not a repository")
    assert not chooser.confirm.isEnabled()
    chooser.other.setText("owner/name")
    assert chooser.chosen().repository == "owner/name"


def test_what_cancelled_downloads_left_is_discarded_on_request(qtbot, opened):
    station, dialog = opened
    left = station.controller.models.install / PARTIAL / "owner-name" / "a.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(2500))
    dialog.fetch.click()
    with qtbot.waitSignal(dialog._work.discarded, timeout=WAIT):
        dialog.findChild(DownloadDialog).discard.click()
    assert dialog.said.text() == "Unfinished downloads removed: 2 kB."
    assert not left.exists()


def test_nothing_is_installed_while_an_inspection_runs(qtbot, stations, gated, lot):
    gate = threading.Event()
    station = stations(gated(gate))
    station.controller.open_lot(lot)
    qtbot.waitUntil(lambda: station.controller.lot is not None, timeout=WAIT)
    station.controller.start()
    qtbot.waitUntil(lambda: station.controller.runner.phase == "running", timeout=WAIT)
    station.window.conversations.show_models()
    dialog = station.window.findChild(ModelsDialog)
    assert not dialog.import_folder.isEnabled()
    assert "inspection has ended" in dialog.import_folder.toolTip()
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        gate.set()
    assert dialog.import_folder.isEnabled()


def test_a_missing_system_s_dock_leads_to_the_model_manager(qtbot, stations, lot):
    station = stations()
    station.controller.open_lot(lot)
    qtbot.waitUntil(lambda: station.controller.lot is not None, timeout=WAIT)
    with qtbot.waitSignal(station.controller.runner.ended, timeout=WAIT):
        station.controller.start()
    missing = station.window.panels["vlm"].missing
    assert not missing.install.isHidden()
    missing.install.click()
    assert station.window.findChild(ModelsDialog) is not None


def test_the_manager_speaks_korean(qtbot, stations):
    station = stations()
    languages.use("ko")
    station.window.conversations.show_models()
    dialog = station.window.findChild(ModelsDialog)
    qtbot.waitUntil(lambda: dialog.slots.topLevelItemCount() > 0, timeout=WAIT)
    assert dialog.windowTitle() == "모델"
    assert texts(dialog, "vlm")[1] == "미설치"


def test_a_damaged_model_is_listed_with_its_reason(qtbot, opened, vlm):
    station, dialog = opened
    shutil.copytree(vlm, station.controller.models.install / "vlm")
    dialog._work.refresh()
    idle(qtbot, dialog, "vlm", "Cannot be used")
    choose(dialog, "vlm")
    assert "model.json" in dialog.details.values["note"].text()
    assert dialog.remove.isEnabled()


def test_a_classifier_brings_its_policy_and_takes_it_away(qtbot, opened, tmp_path):
    station, dialog = opened
    before = station.controller.policy.inspector
    source = copy_ensemble(tmp_path / "source")
    changed = before.weighted_average.model_copy(update={"threshold": 0.42})
    policy = before.model_copy(update={"weighted_average": changed}).model_dump(mode="json")
    text = yaml.safe_dump({"inspector": policy})
    (source / "inspector.yaml").write_text(text, encoding="utf-8")
    with qtbot.waitSignal(dialog._work.changed, timeout=WAIT):
        dialog.import_from(source)
    idle(qtbot, dialog, "ct_cnn", "Installed")
    assert texts(dialog, "ct_cnn")[2].endswith("(demo)")
    assert station.controller.policy.inspector.weighted_average.threshold == 0.42
    marks = [bar.mark for bar in station.window.panels["verdict"]._scores.bars]
    assert marks[0] == 0.42
    choose(dialog, "ct_cnn")
    dialog.remove.click()
    confirm(dialog, "confirm_remove")
    idle(qtbot, dialog, "ct_cnn", "Not installed")
    assert station.controller.policy.inspector == before
    assert station.controller.policy_shown.inspector == before
    marks = [bar.mark for bar in station.window.panels["verdict"]._scores.bars]
    assert marks[0] == before.weighted_average.threshold
