"""The teach dialog: what is chosen, what comes of it, and what stops it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from builders.windows import reviewed
from filelock import FileLock
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from app.people.decisions import Word
from app.teach.dialog import TeachDialog
from app.teach.histogram import Histogram
from app.teach.releasing import ReleasingPage
from app.teach.teachings import (
    ask_to_stop,
    list_teachings,
    new_teaching,
    read_curves,
    read_teaching,
    remove_teaching,
)
from app.teach.trainer import Trainer, teach_for_long
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.modelstore.release_records import Comparison
from inspection.modelstore.teaching import (
    LOCK_NAME,
    PROGRESS_NAME,
    RESULT_NAME,
    NearMiss,
    PresentModel,
    Proposal,
    Rate,
    ScoredBattery,
    ScoredView,
    TeachRequest,
    TeachResult,
    UsedBattery,
)

WAIT = 60_000

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture
def teachings(tmp_path, monkeypatch):
    """Keep the teachings of a test to itself."""
    folder = tmp_path / "teachings"
    monkeypatch.setattr("app.dialogs.conversations.teachings_folder", lambda: folder)
    return folder


def open_dialog(station) -> TeachDialog:
    station.window.actions_["teach"].trigger()
    dialog = station.window.findChild(TeachDialog)
    assert dialog is not None
    return dialog


@pytest.fixture
def opened(qtbot, stations, lot, teachings):
    """Return a station with a lot and the dialog over it."""
    station = stations()
    station.controller.open_lot(lot)
    qtbot.waitUntil(lambda: station.controller.lot is not None, timeout=WAIT)
    return station, open_dialog(station)


def request_of(lot: Path, **changes) -> TeachRequest:
    wanted = {"lot": str(lot), "slot": "rgb_ae", "batteries": ("001", "002", "003")}
    return TeachRequest.model_validate({**wanted, **changes})


def write_result(folder: Path, request: TeachRequest) -> TeachResult:
    """Write what a trainer would have: two good batteries held out, one decided defect."""
    scores = {"001": (0.1, 0.2), "002": (0.2, 0.5)}
    result = TeachResult(
        request=request,
        model="rgb_ae",
        name="taught",
        sha256="0" * 64,
        threshold=0.4,
        proposals=(
            Proposal(method="mean_std", value=2.5, threshold=0.4),
            Proposal(method="percentile", value=100, threshold=0.5),
        ),
        used=(UsedBattery(battery="003", images=2, part="taught"),),
        left_out=(),
        held_out=tuple(
            ScoredView(image=f"{name}-{place}", battery=name, score=score, present=score / 2)
            for name, part in scores.items()
            for place, score in enumerate(part)
        ),
        batteries=tuple(
            ScoredBattery(battery=name, score=max(part), present=max(part) / 2)
            for name, part in scores.items()
        ),
        defects=(ScoredBattery(battery="004", score=0.45, present=0.1),),
        present=PresentModel(name="old", sha256="1" * 64, demo=True, threshold=0.2),
        misses=(
            NearMiss(image="a", battery="002", score=0.5, picture="misses/01.png", map="m.png"),
        ),
        seconds=3.0,
    )
    (folder / RESULT_NAME).write_text(result.model_dump_json(), encoding="utf-8")
    return result


def row_texts(dialog: TeachDialog, place: int) -> list[str]:
    item = dialog.outcome.figures.topLevelItem(place)
    return [item.text(column) for column in range(3)]


def test_without_a_lot_one_sentence_says_what_is_missing(qtbot, stations, teachings):
    station = stations()
    with qtbot.waitSignal(station.controller.failed) as told:
        station.window.actions_["teach"].trigger()
    assert told.args[0].message.code == "teach_no_lot"
    assert station.window.findChild(TeachDialog) is None


def test_fewer_than_three_batteries_cannot_be_taught_on(opened):
    _, dialog = opened
    assert not dialog.go.isEnabled()
    dialog.choosing.all.click()
    assert dialog.go.isEnabled()
    dialog.choosing.none.click()
    for place in range(2):
        dialog.choosing.list.topLevelItem(place).setCheckState(0, Qt.CheckState.Checked)
    assert not dialog.go.isEnabled()
    assert "at least 3" in dialog.choosing._count.text()


def test_all_ticks_what_the_filter_shows_and_leaves_the_rest(opened):
    _, dialog = opened
    dialog.choosing.filter.setText("2")
    dialog.choosing.all.click()
    assert dialog.choosing.chosen == ("002",)
    dialog.choosing.filter.setText("3")
    dialog.choosing.all.click()
    assert dialog.choosing.chosen == ("002", "003")


def test_the_preview_says_what_is_used_and_why_something_is_not(qtbot, opened):
    _, dialog = opened
    dialog.choosing.all.click()
    qtbot.waitUntil(lambda: dialog.preview.pictures.count() == 6, timeout=WAIT)
    told = [dialog.preview.left_out.item(n).text() for n in range(dialog.preview.left_out.count())]
    assert told
    assert all("Its label calls it defective" in line for line in told)


def test_batteries_that_people_confirmed_are_ticked(qtbot, stations, judged_session, teachings):
    station = reviewed(qtbot, stations(), judged_session)
    controller = station.controller
    for name in ("001", "002", "003", "004"):
        kind = "external_defect" if name == "004" else "normal"
        controller.decisions.take(name, Word(kind, reason="seen"))
        qtbot.waitUntil(lambda n=name: controller.rows[n].decision is not None, timeout=WAIT)
    dialog = open_dialog(station)
    qtbot.waitUntil(lambda: dialog.choosing.chosen == ("001", "002", "003"), timeout=WAIT)
    assert dialog.decided.defects("rgb") == ("004",)


def test_a_lot_that_is_gone_is_one_sentence_and_leaves_nothing(
    qtbot, stations, lot, teachings, tmp_path
):
    copy = shutil.copytree(lot, tmp_path / "copied")
    station = stations()
    station.controller.open_lot(copy)
    qtbot.waitUntil(lambda: station.controller.lot is not None, timeout=WAIT)
    dialog = open_dialog(station)
    dialog.choosing.all.click()
    shutil.rmtree(copy)
    dialog.go.click()
    qtbot.waitUntil(lambda: not dialog.trainer.busy, timeout=WAIT)
    assert "copied" in dialog.said.text()
    assert "Traceback" not in dialog.said.text()
    assert dialog.pages.currentIndex() == 0
    assert list_teachings(teachings) == []


def test_closing_asks_and_ends_the_trainer(qtbot, opened, teachings):
    _, dialog = opened
    dialog.choosing.all.click()
    dialog.go.click()
    assert dialog.trainer.busy
    qtbot.waitSignal(dialog.trainer.told, timeout=WAIT).wait()
    dialog.reject()
    box = dialog.findChild(QMessageBox, "confirm_cancel")
    with qtbot.waitSignal(dialog.finished, timeout=WAIT):
        QTest.mouseClick(box.buttons()[0], Qt.MouseButton.LeftButton)
    assert list_teachings(teachings) == []


def test_a_child_that_dies_is_told_and_nothing_is_lost(qtbot, opened, teachings):
    _, dialog = opened
    dialog.choosing.all.click()
    dialog.go.click()
    qtbot.waitSignal(dialog.trainer.told, timeout=WAIT).wait()
    dialog.trainer._process.kill()
    qtbot.waitUntil(lambda: not dialog.trainer.busy, timeout=WAIT)
    assert "ended without a result" in dialog.said.text()
    assert dialog.pages.currentIndex() == 0
    assert len(dialog.choosing.chosen) == 6


def test_no_room_on_the_disk_is_told_before_anything_starts(opened, monkeypatch):
    _, dialog = opened
    monkeypatch.setattr("app.teach.teachings.ROOM", 1 << 60)
    dialog.choosing.all.click()
    dialog.go.click()
    assert "too little room" in dialog.said.text()
    assert not dialog.trainer.busy


def test_a_result_shows_both_models_and_follows_the_threshold(qtbot, opened, lot, teachings):
    _, dialog = opened
    request = request_of(lot)
    folder = new_teaching(teachings, request)
    dialog.outcome.show_result(folder, write_result(folder, request), 0.4)
    assert row_texts(dialog, 0)[1:] == ["0.4", "0.2"]
    assert row_texts(dialog, 1)[1].startswith("1 / 2")
    assert row_texts(dialog, 1)[2].startswith("1 / 2")
    assert row_texts(dialog, 2)[1].startswith("0 / 1")
    assert row_texts(dialog, 2)[2].startswith("1 / 1")
    assert not dialog.outcome.unset
    dialog.outcome.proposals.activated.emit(1)
    assert row_texts(dialog, 1)[1].startswith("0 / 2")
    assert row_texts(dialog, 2)[1].startswith("1 / 1")
    assert dialog.outcome.unset


def test_without_decided_defects_escapes_are_unmeasured(opened, lot, teachings):
    _, dialog = opened
    request = request_of(lot)
    folder = new_teaching(teachings, request)
    result = write_result(folder, request).model_copy(update={"defects": ()})
    dialog.outcome.show_result(folder, result, 0.4)
    assert row_texts(dialog, 2)[1] == "not measured: no decided defects"


def test_the_line_of_the_threshold_moves_by_mouse_and_by_key(qtbot):
    shown = Histogram(movable=True)
    qtbot.addWidget(shown)
    shown.resize(400, 120)
    shown.show()
    shown.show_scores([0.1, 0.2, 0.3], [0.9], 0.5)
    QTest.mouseClick(shown, Qt.MouseButton.LeftButton, pos=shown.rect().center())
    low, high = shown.span
    assert shown.threshold == pytest.approx((low + high) / 2, rel=0.02)
    before = shown.threshold
    QTest.keyClick(shown, Qt.Key.Key_Right)
    assert shown.threshold > before


def test_what_became_of_a_teaching_is_read_from_its_folder(lot, tmp_path):
    request = request_of(lot)
    stopped, failed, finished, working = (new_teaching(tmp_path, request) for _ in range(4))
    (failed / PROGRESS_NAME).write_text(
        '{"stage": "failed", "error": {"code": "teach_nothing_judged", "params": {}}}',
        encoding="utf-8",
    )
    write_result(finished, request)
    with FileLock(working / LOCK_NAME):
        # A lock of this very process says as much as that of another one.
        states = {one.folder: one.state for one in list_teachings(tmp_path)}
    assert states == {
        stopped: "stopped", failed: "failed", finished: "finished", working: "working"
    }  # fmt: skip
    (tmp_path / "else").mkdir()
    assert read_teaching(tmp_path / "else") is None


def test_the_curves_are_those_of_the_runs_log(lot, tmp_path):
    folder = new_teaching(tmp_path, request_of(lot))
    assert read_curves(folder) == {}
    (folder / "run-discriminative").mkdir()
    log = folder / "run-discriminative" / "log.csv"
    log.write_text("epoch,train_loss,val_auroc\n1,0.5,0.6\n2,0.4,0.7\n", encoding="utf-8")
    assert read_curves(folder) == {"train_loss": [0.5, 0.4], "val_auroc": [0.6, 0.7]}


def test_a_trainer_that_is_not_there_is_one_sentence(qtbot, qapp, monkeypatch):
    monkeypatch.setattr("app.teach.trainer.trainer_command", lambda: ("/nowhere/trainer", []))
    trainer = Trainer(qapp)
    with qtbot.waitSignal(trainer.ended, timeout=WAIT) as told:
        trainer.run("teach")
    assert told.args[0].code == "teach_no_trainer"
    assert not trainer.busy


def test_a_longer_training_goes_on_by_itself_until_it_is_asked_to_stop(qtbot, lot, tmp_path):
    folder = new_teaching(tmp_path, request_of(lot, detectors=["discriminative"]))
    teach_for_long(folder)
    qtbot.waitUntil(lambda: read_teaching(folder).state == "working", timeout=WAIT)
    # A trainer starts with many imports, during which it cannot be asked.
    qtbot.waitUntil(lambda: read_teaching(folder).event is not None, timeout=WAIT)
    ask_to_stop(folder)
    qtbot.waitUntil(lambda: read_teaching(folder).state == "stopped", timeout=WAIT)
    assert read_teaching(folder).event.stage == "cancelled"
    assert not list(folder.glob("run-*"))
    remove_teaching(folder)
    assert not folder.exists()


def test_a_lot_whose_path_is_no_text_is_refused(tmp_path):
    with pytest.raises(InspectionError) as told:
        new_teaching(tmp_path, request_of(Path("/lots/\udcff")))
    assert told.value.message.code == "teach_lot_name"


def comparison_of(**changes) -> Comparison:
    model = {"name": "new", "sha256": "0" * 64, "demo": False, "policy": "2" * 64}
    outcomes = {"escapes": 1, "overkills": 2, "stopped": 0, "gate": 0}
    measured = {
        "data": ("lot",), "unit": "battery", "held_out": "3" * 64, "defective": 4, "normal": 5,
        "known_to_challenger": 0, "known_to_present": 0, "challenger": outcomes,
        "present": outcomes,
    }  # fmt: skip
    content = {
        "made_at": "2026-11-28T12:00:00+00:00", "slot": "rgb_ae", "margin": 0.05,
        "confidence": 0.95, "challenger": model, "present": model, "measured": measured,
    }  # fmt: skip
    return Comparison.model_validate({**content, **changes})


def test_what_stands_against_a_release_needs_somebody_who_signs(qtbot):
    page = ReleasingPage()
    qtbot.addWidget(page)
    page.show_comparison(comparison_of(), [])
    assert page.form.isHidden()
    assert page._who.isHidden()
    against = (Message(code="release_escapes_unmeasured"),)
    page.show_comparison(comparison_of(reservations=against), [])
    assert page.form.isHidden()
    assert "station users add" in page._who.text()
    page.show_comparison(comparison_of(reservations=against), ["Lee"])
    assert not page.form.isHidden()
    page.form.secret.setText("268405")
    with qtbot.waitSignal(page.signed) as signed:
        page.form.go.click()
    assert signed.args == ["Lee", "268405"]


def test_an_interval_is_shown_with_every_rate():
    from app.teach.outcome import rate_text

    assert rate_text(Rate(count=0, total=5)) == "0 / 5  (95 %: 0–43 %)"
