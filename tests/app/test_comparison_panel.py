from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders.stages import drag_right, greys_shown, picture_shown, readout
from PySide6.QtCore import QPoint, QPointF, QPropertyAnimation, QRectF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTreeWidget

from app.dialogs.tables import TablesDialog
from app.lot.review import Row
from app.panels.history import FOLDER_ROLE
from app.tables.battery_table import Column
from app.wording import languages
from inspection.messages import Message
from inspection.records import image_name
from inspection.results import (
    SYSTEMS,
    BatteryResult,
    Box,
    ChosenImages,
    ImageResult,
    Verdict,
    VlgImage,
    VlgResult,
    VlmImage,
    VlmResult,
)
from inspection.run.status import LiveAnswers

WAIT = 30_000

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


@pytest.fixture
def station(qtbot, stations, lot: Path):
    """Return a station with a session of one judged battery, and the comparison in sight."""
    station = stations()
    controller = station.controller
    controller.open_lot(lot)
    qtbot.waitUntil(lambda: controller.lot is not None, timeout=WAIT)
    controller.with_session(list)
    qtbot.waitUntil(lambda: controller.writer.record is not None, timeout=WAIT)
    controller._on_result(judged(station), True)
    controller.choose(next(iter(controller.rows)))
    station.window.actions_["compare"].trigger()
    QApplication.processEvents()
    return station


def looked_at(station) -> list[str]:
    battery = next(iter(station.controller.rows.values())).battery
    return [image_name(ref, station.controller.lot.root) for ref in (battery.ct[0], battery.rgb[0])]


def judged(station) -> BatteryResult:
    """Return the ensemble's word: porosity on the first slice."""
    ct, rgb = looked_at(station)
    images = [
        ImageResult(
            image=ct,
            modality="ct",
            axis="x",
            number=1,
            state="done",
            pred_label="cell_porosity",
            probabilities={"cell_normal": 0.1, "cell_porosity": 0.9},
            pred_score=0.9,
            threshold=0.5,
            is_anomaly=True,
            pred_boxes=[Box(x=20, y=20, w=40, h=20, score=0.8)],
            width=192,
            height=192,
            seconds=0.1,
        ),
        ImageResult(
            image=rgb,
            modality="rgb",
            number=1,
            state="done",
            pred_label="normal",
            pred_score=0.01,
            threshold=0.03,
            is_anomaly=False,
        ),
    ]
    return BatteryResult(
        battery_id=next(iter(station.controller.rows)),
        state="done",
        systems={"ensemble": "done", "vlm": "not_installed", "vlg": "not_installed"},
        verdict=Verdict(kind="internal_defect", defect_type="cell_porosity", fused_score=0.8),
        images=images,
        worst_slices=[ct],
    )


def vlm_image(name: str, **values) -> VlmImage:
    modality = "rgb" if name.endswith(".png") else "ct"
    return VlmImage(image=name, modality=modality, number=1, state="done", seconds=2.5, **values)


def vlg_image(name: str, **values) -> VlgImage:
    modality = "rgb" if name.endswith(".png") else "ct"
    return VlgImage(image=name, modality=modality, number=1, state="done", seconds=0.4, **values)


def spoken(station, vlm: str = "normal") -> BatteryResult:
    """Have the VLM judge the slice so, and the VLG find a box on it."""
    ct, rgb = looked_at(station)
    box = Box(x=20, y=20, w=40, h=40)
    found = {"bboxes": [box], "scores": [0.63], "defect_types": ["cell_porosity"]}
    defect_type = "cell_porosity" if vlm == "defect" else None
    answers = [
        vlm_image(
            ct,
            prediction=vlm,
            defect_type=defect_type,
            explanation="A dark line.",
            bbox=[box] if vlm == "defect" else [],
            form="json",
        ),
        vlm_image(rgb, prediction="normal", explanation="Clean.", form="json"),
    ]
    boxes = [vlg_image(ct, phrases=["porosity"], **found), vlg_image(rgb)]
    result = judged(station).model_copy(
        update={
            "systems": dict.fromkeys(SYSTEMS, "done"),
            "chosen": {"vlm": ChosenImages(method="worst_and_even", images=[ct, rgb])},
            "vlm": VlmResult(
                prediction=vlm, defect_type=defect_type, explanation="", images=answers
            ),
            "vlg": VlgResult(**found, box_images=[ct], images=boxes),
        }
    )
    station.controller._on_result(result, True)
    return result


def test_three_columns_show_the_same_image_each_with_its_own_word(qtbot, station):
    panel = station.window.panels["comparison"]
    spoken(station)
    assert panel.images.count() == 2
    columns = panel.columns
    qtbot.waitUntil(lambda: all(picture_shown(c.stage) for c in columns.values()), timeout=WAIT)
    assert [columns[name].chip.text for name in columns] == ["Defect", "Normal", "Defect"]
    assert "A dark line." in columns["vlm"].words.toPlainText()
    assert "porosity" in columns["vlg"].words.toPlainText()
    assert columns["vlm"].seconds.text() == "2.5 s"
    assert len(columns["vlg"].stage._boxes) == 1
    assert panel.image_chip.text == "Conflict: the systems disagree"
    assert "favours" in panel.remark.text()


def test_agreement_says_how_far_the_boxes_lie_on_each_other(station):
    panel = station.window.panels["comparison"]
    spoken(station, "defect")
    assert panel.image_chip.text == "The systems agree"
    assert "Ensemble – VLM 0.50" in panel.overlaps.text()
    assert "VLM – VLG 1.00" in panel.overlaps.text()


def test_a_battery_on_which_all_agree_but_not_on_every_image_says_just_that(station):
    result = spoken(station, "defect")
    slice_, view = result.vlm.images
    defect = view.model_copy(update={"prediction": "defect"})
    vlm = result.vlm.model_copy(update={"images": [slice_, defect]})
    station.controller._on_result(result.model_copy(update={"vlm": vlm}), True)
    assert station.window.panels["comparison"].battery_chip.text == "Conflict on single images"


def test_keys_walk_through_the_images(qtbot, station):
    panel = station.window.panels["comparison"]
    spoken(station)
    first = panel.current.image
    station.window.activateWindow()
    QTest.keyClick(station.window, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert panel.current.image != first
    assert panel.image_chip.text == "The systems agree"
    QTest.keyClick(station.window, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    assert panel.current.image == first


def test_a_system_that_has_not_spoken_says_why_in_its_column(station):
    panel = station.window.panels["comparison"]
    assert "once the VLM or the VLG has judged" in panel.remark.text()
    assert panel.columns["vlm"].chip.text == "Model not installed"
    name = looked_at(station)[0]
    failed = VlmImage(
        image=name,
        modality="ct",
        number=1,
        state="failed",
        error=Message(code="image_unreadable", params={"name": "a.jpg", "problem": "cut off"}),
    )
    before = judged(station)
    result = before.model_copy(
        update={
            "systems": {**before.systems, "vlm": "done"},
            "vlm": VlmResult(prediction="review", explanation="", images=[failed]),
        }
    )
    station.controller._on_result(result, True)
    assert panel.columns["vlm"].chip.text == "Failed"
    assert "a.jpg" in panel.columns["vlm"].words.toPlainText()
    assert panel.columns["vlg"].chip.text == "Model not installed"
    assert "not installed" in panel.columns["vlg"].words.toPlainText()
    assert panel.image_chip.text == "Nothing to compare yet"


def test_the_comparison_fills_while_a_system_still_speaks(station):
    panel = station.window.panels["comparison"]
    ct = looked_at(station)[0]
    battery_id = station.controller.current_id
    answer = vlm_image(ct, prediction="normal", explanation="Nothing.", form="json")
    runner = station.controller.runner
    runner.live_changed.emit("vlm", LiveAnswers(battery_id, answered=(answer,)))
    assert panel.columns["vlm"].chip.text == "Normal"
    assert panel.image_chip.text == "Conflict: the systems disagree"
    runner.live_changed.emit("vlm", LiveAnswers("another", answered=(answer,)))
    assert panel.images.count() == 0


def test_what_is_zoomed_in_one_picture_is_zoomed_in_all(qtbot, station):
    spoken(station)
    stages = [one.stage for one in station.window.panels["comparison"].columns.values()]
    qtbot.waitUntil(lambda: all(picture_shown(stage) for stage in stages), timeout=WAIT)
    middle = QPointF(stages[1].viewport().rect().center())
    wheel = QWheelEvent(
        middle,
        QPointF(stages[1].viewport().mapToGlobal(middle.toPoint())),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    before = stages[0].transform().m11()
    for _ in range(4):
        QApplication.sendEvent(stages[1].viewport(), wheel)
    scales = [stage.transform().m11() for stage in stages]
    assert scales[0] > before
    assert scales == pytest.approx([scales[1]] * 3)
    QTest.mouseDClick(stages[2].viewport(), Qt.MouseButton.LeftButton)
    assert stages[0].transform().m11() == pytest.approx(before)


def test_greys_that_are_set_in_one_picture_are_in_all(qtbot, station):
    spoken(station)
    stages = [one.stage for one in station.window.panels["comparison"].columns.values()]
    qtbot.waitUntil(lambda: all(picture_shown(stage) for stage in stages), timeout=WAIT)
    before = greys_shown(stages[0])
    drag_right(stages[1], 0, 60)
    qtbot.waitUntil(lambda: all(greys_shown(s).mean() < before.mean() for s in stages))
    assert all("◐" in readout(stage) for stage in stages)
    # The dock behind has them too, once it is seen.
    station.window.actions_["compare"].trigger()
    ct = station.window.panels["ct"].stage
    qtbot.waitUntil(lambda: "◐" in readout(ct), timeout=WAIT)


def test_a_box_beside_the_part_itself_is_in_sight_in_every_column(qtbot, station):
    result = spoken(station)
    ct = looked_at(station)[0]
    far = Box(x=150, y=150, w=40, h=40)
    answer = vlm_image(ct, prediction="defect", bbox=[far], form="boxes")
    vlm = VlmResult(prediction="defect", explanation="", images=[answer])
    station.controller._on_result(result.model_copy(update={"vlm": vlm}), True)
    columns = station.window.panels["comparison"].columns
    qtbot.waitUntil(lambda: len(columns["vlm"].stage._boxes) == 1, timeout=WAIT)
    for one in columns.values():
        seen = one.stage.mapToScene(one.stage.viewport().rect()).boundingRect()
        assert seen.contains(QRectF(far.x, far.y, far.w, far.h))


def test_the_lot_marks_conflicts_and_a_key_goes_to_the_next(qtbot, station):
    battery_id = station.controller.current_id
    spoken(station)
    panel = station.window.panels["lot"]
    panel.filter.setCurrentIndex(panel.filter.findData("conflict"))
    assert [panel.proxy.index(0, Column.BATTERY).data()] == [battery_id]
    assert panel.proxy.rowCount() == 1
    panel.filter.setCurrentIndex(0)
    other = next(name for name in station.controller.rows if name != battery_id)
    station.controller.choose(other)
    station.window.activateWindow()
    QTest.keyClick(station.window, Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    assert station.controller.current_id == battery_id


def test_conflicts_are_still_marked_after_reopening(qtbot, stations, station):
    battery_id = station.controller.current_id
    spoken(station)
    folder = station.controller.writer.folder
    qtbot.waitUntil(lambda: not station.controller.writer._pool.busy, timeout=WAIT)
    stations.close(station)
    second = stations()
    second.controller.open_session(folder)
    qtbot.waitUntil(lambda: bool(second.controller.rows), timeout=WAIT)
    marked = [row.battery_id for row in second.controller.rows.values() if row.conflict]
    assert marked == [battery_id]


def test_the_pictures_make_room_for_the_comparison_and_come_back(station):
    window = station.window
    assert window.workbench.docks["ct"].isHidden()
    assert window.panels["comparison"].isVisible()
    window.workbench.docks["comparison"].close()
    assert not window.actions_["compare"].isChecked()
    assert all(not window.workbench.docks[name].isHidden() for name in ("ct", "rgb", "vlm", "vlg"))
    window.resize(1280, 800)
    window.actions_["compare"].trigger()
    QApplication.processEvents()
    assert window.width() == 1280
    window.actions_["reset_layout"].trigger()
    assert not window.actions_["compare"].isChecked()
    assert window.panels["ct"].isVisible()


def test_no_dock_moves_on_its_own_while_places_are_restored(station):
    """An animation, of no duration too, ends the program with the dock that it moves."""
    workbench = station.window.workbench
    for _ in range(2):
        station.window.actions_["compare"].trigger()
        assert not workbench.findChildren(QPropertyAnimation)
    station.window.resize(1280, 800)
    assert not workbench.findChildren(QPropertyAnimation)


def test_the_pictures_come_back_in_their_sizes(station):
    window = station.window
    window.resize(1600, 960)
    window.actions_["compare"].trigger()
    QApplication.processEvents()
    docks = {name: window.workbench.docks[name] for name in ("lot", "ct", "rgb", "vlm", "verdict")}
    before = {name: dock.size() for name, dock in docks.items()}
    for _ in range(2):
        window.actions_["compare"].trigger()
        QApplication.processEvents()
    assert {name: dock.size() for name, dock in docks.items()} == before


def test_the_comparison_speaks_korean(station):
    spoken(station)
    languages.use("ko")
    QApplication.processEvents()
    panel = station.window.panels["comparison"]
    assert panel.image_chip.text == "불일치: 시스템 판정이 서로 다름"
    assert panel.columns["vlm"].chip.text == "정상"
    languages.use("en")


def test_another_battery_begins_with_its_own_images(station):
    spoken(station)
    panel = station.window.panels["comparison"]
    other = next(n for n in station.controller.rows if n != station.controller.current_id)
    station.controller.choose(other)
    assert panel.images.count() == 0
    panel.show_battery(None)
    assert panel.current is None


def test_a_row_keeps_its_conflict_until_the_systems_speak_again(station):
    result = spoken(station, "defect")
    row = Row(station.controller.rows[result.battery_id].battery, conflict=True)
    assert replace(row, state="queued").conflict
    assert not row.with_result(result).conflict


def saved(qtbot, station) -> Path:
    qtbot.waitUntil(lambda: not station.controller.writer._pool.busy, timeout=WAIT)
    return station.controller.writer.folder


def told(qtbot, station) -> TablesDialog:
    qtbot.waitUntil(lambda: station.window.findChild(TablesDialog) is not None, timeout=WAIT)
    return station.window.findChild(TablesDialog)


def test_the_figures_of_the_session_are_a_click_away(qtbot, station):
    spoken(station)
    folder = saved(qtbot, station)
    station.window.panels["comparison"].figures.click()
    dialog = told(qtbot, station)
    assert dialog._compared.sessions == (folder.name,)
    assert not station.window.announcements.toast.text
    header = dialog.findChildren(QTreeWidget)[0].headerItem()
    assert [header.text(n) for n in range(1, header.columnCount())] == ["Ensemble", "VLM", "VLG"]


def test_the_history_tells_what_changed_between_two_sessions(qtbot, station):
    controller, history = station.controller, station.window.panels["history"]
    first = saved(qtbot, station)
    controller.writer.close()
    controller._shown_run = None
    controller.with_session(list)
    qtbot.waitUntil(lambda: controller.writer.record is not None, timeout=WAIT)
    passed = Verdict(kind="normal", fused_score=0.1)
    controller._on_result(judged(station).model_copy(update={"verdict": passed}), True)
    second = saved(qtbot, station)
    with qtbot.waitSignal(controller.sessions_listed, timeout=WAIT):
        controller.writer.list_sessions()
    places = {history.tree.topLevelItem(n).data(0, FOLDER_ROLE): n for n in range(2)}
    history.tree.setCurrentItem(history.tree.topLevelItem(places[str(second)]))
    assert not history.compare.isEnabled()
    history.tree.setCurrentItem(history.tree.topLevelItem(places[str(first)]))
    history.compare.click()
    dialog = told(qtbot, station)
    assert dialog._compared.sessions == (first.name, second.name)
    battery_id = controller.current_id
    rows = [row for table in dialog._compared.tables for row in table.rows]
    assert [row[2] for row in rows if row[0] == battery_id] == ["Normal"]
    dialog._copy()
    assert "Normal" in QApplication.clipboard().text()
