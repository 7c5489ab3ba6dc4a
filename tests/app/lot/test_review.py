from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt

from app.lot.review import (
    Row,
    answered_images,
    battery_view,
    first_shown,
)
from app.tables.battery_table import BatteryFilter, BatteryTable, Column
from inspection.messages import Message
from inspection.predictions import ImageAnswered, ImageTaken, PartialAnswer
from inspection.records import Battery, ImageRef
from inspection.results import BatteryResult, ImageResult, Kind, Verdict, VlmImage, VlmResult
from inspection.run.status import InspectionProgress, LiveAnswers
from inspection.session.record import BatterySummary, Decision

ROOT = Path("/lots/로트 1")


def row(battery_id: str, kind: Kind | None = None, **changes) -> Row:
    return Row(Battery(battery_id, battery_id, battery_id), kind=kind, **changes)


def decision(kind: Kind, action: str = "accept") -> Decision:
    return Decision(
        action=action, kind=kind, operator="Kim", decided_at=datetime.now().astimezone()
    )


def result(battery_id: str, state: str, kind: Kind, images=()) -> BatteryResult:
    verdict = Verdict(kind=kind, reasons=[Message(code="not_judged_yet")])
    return BatteryResult(battery_id=battery_id, state=state, verdict=verdict, images=list(images))


def test_a_battery_in_work_has_no_verdict_yet():
    before = row("001")
    assert before.with_result(result("001", "running", "not_inspected")).kind is None
    assert before.with_result(result("001", "failed", "not_inspected")).kind == "not_inspected"


def test_a_new_verdict_leaves_the_decision_and_shows_that_it_no_longer_fits():
    accepted = row("001", "normal", decision=decision("normal"))
    after = accepted.with_result(result("001", "done", "internal_defect"))
    assert after.decision is accepted.decision
    assert after.contradicted
    assert after.final_kind == "review"
    assert not accepted.contradicted
    overridden = row("001", "review", decision=decision("normal", "override"))
    assert not overridden.contradicted


@pytest.mark.parametrize(
    ("kind", "suspicious"),
    [(None, False), ("normal", False), ("review", True), ("not_inspected", True)],
)
def test_what_was_not_inspected_is_never_passed_over(kind, suspicious):
    assert row("001", kind).suspicious is suspicious


def test_a_saved_row_that_was_never_inspected_comes_back_without_verdict():
    summary = BatterySummary(battery_id="001", state="queued", kind="not_inspected")
    assert row("001").with_summary(summary).kind is None


def test_a_verdict_saved_before_the_others_had_spoken_comes_back_with_the_battery_still_to_do():
    summary = BatterySummary(battery_id="001", state="running", kind="normal", fused_score=0.2)
    after = row("001").with_summary(summary)
    assert after.kind == "normal"
    assert after.state == "queued"


def test_images_find_their_results_by_their_place_in_the_lot():
    refs = tuple(
        ImageRef(ROOT / "a" / f"{n}.jpg", "ct", "001", "z", n, None, None, None) for n in range(5)
    )
    judged = ImageResult(image="a/3.jpg", modality="ct", number=3, state="done")
    battery = Battery("001", "1", "1", ct=refs)
    view = battery_view(Row(battery), result("001", "done", "normal", [judged]), ROOT, None)
    assert [image.result for image in view.ct] == [None, None, None, judged, None]
    assert first_shown(view.ct, ["gone.jpg", "a/3.jpg"]).result is judged
    assert first_shown(view.ct, []).ref.number == 2
    assert first_shown((), ["a/3.jpg"]) is None


def test_the_estimate_waits_for_something_to_estimate_from():
    assert InspectionProgress(0, 10, 3, 100, 0.5).seconds_left is None
    assert InspectionProgress(1, 10, 25, 100, 5.0).seconds_left == pytest.approx(15.0)
    assert InspectionProgress(10, 10, 100, 100, 20.0).seconds_left == 0


def test_a_run_is_as_far_as_the_system_that_is_furthest_behind():
    progress = InspectionProgress(2, 10, 100, 100, 30.0, others=(0.25, 0.5))
    assert progress.share == 0.25
    assert progress.seconds_left == pytest.approx(90.0)
    assert InspectionProgress(0, 10, 0, 0, 5.0, others=(0.0,)).seconds_left is None


def test_a_system_at_work_stays_so_while_another_speaks():
    at_work = row("001").with_system("vlm", "running")
    spoken = result("001", "running", "normal").model_copy(
        update={"systems": {"ensemble": "done", "vlm": "queued", "vlg": "queued"}}
    )
    systems = {"ensemble": "done", "vlm": "running", "vlg": "queued"}
    assert at_work.with_result(spoken).systems == systems


def test_a_live_answer_grows_and_goes_before_an_earlier_one():
    refs = tuple(
        ImageRef(ROOT / f"{n}.jpg", "ct", "001", "z", n, None, None, None) for n in range(3)
    )
    answers = [VlmImage(image=f"{n}.jpg", modality="ct", number=n, state="done") for n in range(2)]
    earlier = result("001", "done", "normal").model_copy(
        update={"vlm": VlmResult(prediction="normal", explanation="", images=answers)}
    )
    view = battery_view(Row(Battery("001", "1", "1", ct=refs)), earlier, ROOT, None)
    assert [entry.answer for entry in answered_images(view, "vlm", None)] == answers
    live = LiveAnswers("001")
    for event in (
        ImageTaken(refs[2]),
        PartialAnswer(refs[2], "A dark"),
        PartialAnswer(refs[2], "A dark pore"),
    ):
        live = live.after(event)
    (entry,) = answered_images(view, "vlm", live)
    assert (entry.shown.ref, entry.answer, entry.text) == (refs[2], None, "A dark pore")
    live = live.after(ImageAnswered(refs[2], answers[1]))
    assert (live.image, live.text, live.answered) == (None, "", (answers[1],))
    assert len(answered_images(view, "vlm", LiveAnswers("002"))) == 2


@pytest.fixture
def table(qapp):
    parent = QObject()
    model, proxy = BatteryTable(parent), BatteryFilter(parent)
    proxy.setSourceModel(model)
    model.set_rows(
        [
            row("10", "normal", fused_score=0.1),
            row("9", "composite_defect", fused_score=0.9, decision=decision("normal", "override")),
            row("9b", None),
        ]
    )
    yield proxy
    parent.deleteLater()


def listed(proxy: BatteryFilter) -> list[str]:
    return [proxy.index(n, Column.BATTERY).data() for n in range(proxy.rowCount())]


def test_batteries_sort_as_people_count_and_worst_verdicts_first(table):
    table.sort(Column.BATTERY, Qt.SortOrder.AscendingOrder)
    assert listed(table) == ["9", "9b", "10"]
    table.sort(Column.VERDICT, Qt.SortOrder.AscendingOrder)
    assert listed(table) == ["9", "10", "9b"]
    table.sort(Column.SCORE, Qt.SortOrder.DescendingOrder)
    assert listed(table) == ["9", "10", "9b"]


def test_a_kind_filter_follows_the_operator_s_word(table):
    table.set_filter("normal")
    assert sorted(listed(table)) == ["10", "9"]
    table.set_filter("undecided")
    assert sorted(listed(table)) == ["10", "9b"]
