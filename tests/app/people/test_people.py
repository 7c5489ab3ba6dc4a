"""Who is at the window: signed in, locked, handed over; what they may do, and what is covered."""

from __future__ import annotations

import json
import threading

import pytest
import yaml
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog

from app.dialogs.decision import DecisionDialog
from app.dialogs.sign import SignDialog
from app.dialogs.sign_in import SignInDialog
from app.dialogs.users import UserDialog, UsersDialog
from app.people.decisions import Word
from inspection.classes import class_table
from inspection.people.roles import load_people
from inspection.people.users import UserStore
from inspection.results import Box
from inspection.seals.log import StationLog
from inspection.session.store import SessionStore
from inspection.site import SITE_VARIABLE, use_site

# The offscreen platform says so of every window that has a smallest size, or comes to the front.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", "raise\\(\\)")

BOSS = ("Seo Yun", "482915")
PARK = ("Park", "quiet river 7")
LEE = ("Lee", "green 1234")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Have people sign in."""
    monkeypatch.setenv(SITE_VARIABLE, "")

    def use(**people):
        # A folder of its own: what was read of one is kept.
        folder = tmp_path / f"site{len(list(tmp_path.glob('site*')))}"
        folder.mkdir()
        throttle = {"wait_seconds": 0}
        content = {"people": {"sign_in": True, "throttle": throttle, **people}}
        (folder / "site.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        use_site(folder)

    use()
    return use


@pytest.fixture
def people(site) -> UserStore:
    """An administrator, an operator and a quality engineer, each with a PIN of their own."""
    users = UserStore(load_people(), StationLog())
    boss = users.add_first(*BOSS)
    for (name, secret), role in ((PARK, "operator"), (LEE, "quality")):
        users.add(name, role, "first 9876", boss)
        users.sign_in(name, "first 9876", secret)
    return users


def sign_in(qtbot, station, who) -> None:
    form = station.window.lock_page.form
    form.name.setCurrentText(who[0])
    form.secret.setText(who[1])
    with qtbot.waitSignal(station.controller.people.changed, timeout=10_000):
        qtbot.keyClick(form.secret, Qt.Key.Key_Return)


def events() -> list[str]:
    return [line.event for _, scan in StationLog().scan() for line in scan.lines]


def judged(qtbot, station, lot) -> None:
    with qtbot.waitSignal(station.controller.runner.ended, timeout=60_000):
        station.controller.open_lot(lot, autostart=True)


def test_without_sign_in_the_operator_is_named_and_nothing_is_covered(stations, qtbot):
    station = stations()
    window = station.window
    assert window.cover.currentWidget() is not window.lock_page
    assert station.controller.people.current.name == "Kim"
    assert not window.actions_["users"].isVisible()
    assert not window.actions_["lock_screen"].isVisible()
    assert window.actions_["models"].isEnabled()
    stations.close(station)
    assert events() == ["start"]


def test_the_first_administrator_is_made_at_the_window(stations, qtbot, site):
    station = stations()
    page = station.window.lock_page
    assert page.isVisible()
    assert station.window.status.operator.text() == "Not signed in"
    form = page.form
    form.own_name.setText(BOSS[0])
    form.fresh.setText("1234")
    form.again.setText("1234")
    form.go.click()
    qtbot.waitUntil(form.isEnabled, timeout=10_000)
    assert "6 to" in form.said.text()
    # A PIN that is typed next is not read in the field of the name.
    assert station.window.focusWidget() is form.fresh
    form.fresh.setText(BOSS[1])
    form.again.setText("another")
    qtbot.keyClick(form.again, Qt.Key.Key_Return)
    assert "differ" in form.said.text()
    form.again.setText(BOSS[1])
    with qtbot.waitSignal(station.controller.people.changed, timeout=10_000):
        form.go.click()
    assert not page.isVisible()
    assert station.window.status.operator.text() == "Seo Yun (Administrator)"
    station.window.conversations.show_users()
    dialog = station.window.findChild(UsersDialog)
    dialog.add.click()
    asked = dialog.findChild(UserDialog)
    asked.name.setText("Park")
    asked.role.setCurrentIndex(asked.role.findData("engineer"))
    for secret in ("123", "123456"):
        assert asked.isVisible(), "what was typed is lost to a PIN that is refused"
        asked.secret.setText(secret)
        asked.again.setText(secret)
        asked.save.click()
    assert not asked.isVisible()
    assert dialog.list.topLevelItemCount() == 2
    dialog.list.setCurrentItem(dialog.list.topLevelItem(1))
    assert dialog.chosen().name == "Seo Yun"
    dialog.change(lambda by: station.controller.people.users.remove("Seo Yun", by))
    assert "remain" in dialog.said.text()
    dialog.accept()


def test_a_temporary_pin_is_exchanged_and_a_wrong_one_told(stations, qtbot, people):
    people.reset("Park", "771001", people.users()[2].person)
    station = stations()
    form = station.window.lock_page.form
    form.name.setCurrentText("Park")
    for secret, told in (("000000", "wrong"), ("771001", "temporary")):
        form.secret.setText(secret)
        form.go.click()
        qtbot.waitUntil(lambda told=told: told in form.said.text())
    form.fresh.setText(PARK[1])
    form.again.setText(PARK[1])
    with qtbot.waitSignal(station.controller.people.changed, timeout=10_000):
        form.go.click()
    assert station.controller.people.current.role == "operator"


def test_a_locked_screen_covers_all_and_the_run_goes_on(stations, qtbot, lot, people, gated):
    gate = threading.Event()
    gate.set()
    station = stations(gated(gate))
    window, controller = station.window, station.controller
    sign_in(qtbot, station, PARK)
    # A dock of its own, and a question half answered.
    window.workbench.docks["verdict"].setFloating(True)
    judged(qtbot, station, lot)
    window.conversations.show_keys()
    dialog = window.findChild(QDialog)
    gate.clear()
    controller.start_over()
    qtbot.waitUntil(lambda: controller.runner.phase == "running")
    session = controller.writer.folder
    with qtbot.waitSignal(controller.runner.ended, timeout=60_000):
        window.actions_["lock_screen"].trigger()
        assert window.lock_page.isVisible()
        assert not window.workbench.isVisible()
        assert not window.workbench.docks["verdict"].isVisible()
        assert not dialog.isVisible()
        assert controller.people.current is None
        for name in ("accept", "accept_next", "undo", "export", "models", "start", "compare"):
            assert not window.actions_[name].isEnabled(), name
        # Only now: the whole run is behind the lock.
        gate.set()
    assert controller.writer.folder == session
    sign_in(qtbot, station, PARK)
    assert window.workbench.docks["verdict"].isVisible()
    assert dialog.isVisible()
    window.actions_["lock_screen"].trigger()
    sign_in(qtbot, station, LEE)
    assert window.workbench.docks["verdict"].isVisible()
    QApplication.processEvents()
    assert window.findChild(QDialog) is None or not window.findChild(QDialog).isVisible()
    record = SessionStore.open(session, read_only=True).record
    assert all(row.state == "done" for row in record.batteries)
    assert record.operator == "Park"


def test_a_lot_that_opens_behind_the_lock_leaves_the_keys_to_the_pin(stations, qtbot, lot, people):
    station = stations()
    controller = station.controller
    with qtbot.waitSignal(controller.lot_changed):
        controller.open_lot(lot)
    assert station.window.focusWidget() is station.window.lock_page.form.secret
    sign_in(qtbot, station, PARK)
    assert station.window.panels["lot"].isAncestorOf(station.window.focusWidget())


def test_a_shift_is_handed_over_and_each_decision_has_its_person(stations, qtbot, lot, people):
    station = stations()
    window, controller = station.window, station.controller
    sign_in(qtbot, station, PARK)
    judged(qtbot, station, lot)
    session = controller.writer.folder
    with qtbot.waitSignal(controller.writer.decisions.decided, timeout=10_000):
        window.actions_["accept"].trigger()
    window.actions_["next"].trigger()
    window.status.operator.click()
    dialog = window.findChild(SignInDialog)
    assert "Park" not in [dialog.form.name.itemText(i) for i in range(dialog.form.name.count())]
    dialog.form.name.setCurrentText("Lee")
    dialog.form.secret.setText("wrong one")
    dialog.form.go.click()
    qtbot.waitUntil(lambda: "wrong" in dialog.form.said.text())
    # The refusal takes room of its own, not the button's.
    qtbot.waitUntil(lambda: dialog.form.go.height() >= dialog.form.go.sizeHint().height())
    assert controller.people.current.name == "Park"
    dialog.form.secret.setText(LEE[1])
    with qtbot.waitSignal(controller.people.changed, timeout=10_000):
        dialog.form.go.click()
    assert controller.writer.folder == session
    with qtbot.waitSignal(controller.writer.decisions.decided, timeout=10_000):
        window.actions_["accept"].trigger()
    by = [(row.decision.operator, row.decision.role)
          for row in controller.writer.record.batteries if row.decision]  # fmt: skip
    assert sorted(by) == [("Lee", "quality"), ("Park", "operator")]
    stations.close(station)
    told = events()
    assert told.count("hand_over") == 1
    assert told.count("sign_in_failed") == 1
    assert told[-1] == "sign_out"


def test_a_region_that_one_has_marked_is_not_the_others_evidence(stations, qtbot, lot, people):
    station = stations()
    controller = station.controller
    sign_in(qtbot, station, PARK)
    judged(qtbot, station, lot)
    controller.marks.mark_box("x/1.png", Box(x=1, y=1, w=5, h=5))
    controller.people.lock()
    sign_in(qtbot, station, PARK)
    assert controller.marks.marked is not None
    controller.people.lock()
    sign_in(qtbot, station, LEE)
    assert controller.marks.marked is None


def test_everybody_can_change_their_own_pin(stations, qtbot, people):
    station = stations()
    sign_in(qtbot, station, PARK)
    station.window.actions_["own_pin"].trigger()
    form = station.window.findChild(SignInDialog).form
    assert form.name.count() == 1
    for field, text in ((form.secret, PARK[1]), (form.fresh, "1111"), (form.again, "1111")):
        field.setText(text)
    form.go.click()
    qtbot.waitUntil(lambda: "6 to" in form.said.text(), timeout=10_000)
    form.fresh.setText("blue 5678")
    form.again.setText("blue 5678")
    form.go.click()
    qtbot.waitUntil(lambda: "changed" in station.window.announcements.toast.text, timeout=10_000)
    assert people.sign_in("Park", "blue 5678").name == "Park"


def test_who_may_not_is_told_why(stations, qtbot, lot, people):
    station = stations()
    window, controller = station.window, station.controller
    sign_in(qtbot, station, BOSS)
    assert window.actions_["models"].isEnabled()
    assert window.actions_["users"].isEnabled()
    judgeable = []
    controller.failed.connect(judgeable.append)
    controller.open_lot(lot, autostart=True)
    qtbot.waitUntil(lambda: controller.lot is not None and bool(judgeable))
    assert judgeable[0].message.code == "not_allowed"
    assert controller.runner.phase == "idle"
    assert controller.writer.record is None
    start = window.actions_["start"]
    assert not start.isEnabled()
    assert start.toolTip() == "Administrator may not do this at this station."
    window.actions_["lock_screen"].trigger()
    sign_in(qtbot, station, PARK)
    assert start.isEnabled()
    assert start.toolTip().startswith("Start inspection")
    assert not window.actions_["models"].isEnabled()
    assert not window.actions_["users"].isEnabled()


def test_a_station_that_nobody_touches_locks_itself(stations, qtbot, site, people):
    site(auto_lock_minutes=0.02)
    station = stations()
    sign_in(qtbot, station, PARK)
    qtbot.waitUntil(lambda: station.controller.people.locked, timeout=10_000)
    assert station.window.lock_page.form.name.currentText() == "Park"


def test_a_users_file_edited_by_hand_is_told_at_the_next_start(stations, qtbot, people):
    content = json.loads(people.path.read_bytes())
    content["users"][1]["role"] = "administrator"
    people.path.write_text(json.dumps(content), encoding="utf-8")
    station = stations()
    assert "outside the station" in station.window.lock_page.form.said.text()
    qtbot.waitUntil(lambda: station.window.banner.topic == "users_altered")
    people.path.unlink()
    stations.close(station)
    station = stations()
    form = station.window.lock_page.form
    assert not form.isEnabled()
    assert not form.own_name.isVisible()


def test_a_log_whose_end_was_cut_off_is_told_at_the_next_start(stations, qtbot):
    stations.close(stations())
    StationLog().append("sign_out", None, why="locked")
    (path,) = StationLog().files()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    station = stations()
    qtbot.waitUntil(lambda: station.window.banner.topic == "log_cut")
    stations.close(station)
    # It stays in the log, and is not told for ever.
    assert events().count("log_altered") == 1
    station = stations()
    qtbot.waitUntil(lambda: events().count("start") == 3, timeout=10_000)
    assert station.window.banner.topic != "log_cut"


def test_the_start_is_recorded_after_the_first_paint_and_never_lost(stations, qtbot):
    station = stations()
    assert StationLog().files() == []
    qtbot.waitUntil(lambda: events() == ["start"], timeout=10_000)
    stations.close(station)
    stations.close(stations())
    assert events().count("start") == 2


def test_another_name_takes_back_what_was_said_of_the_last_ones_pin(stations, qtbot, people):
    station = stations()
    form = station.window.lock_page.form
    form.name.setCurrentText("Park")
    form.secret.setText("000111")
    qtbot.keyClick(form.secret, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(form.said.text()), timeout=10_000)
    form.name.setCurrentText("Lee")
    assert not form.said.text()


def test_tab_goes_from_an_empty_pin_to_the_button_that_signs_in(stations, qtbot, people):
    station = stations()
    sign_in(qtbot, station, PARK)
    station.window.conversations.hand_over()
    dialog = station.window.findChild(SignInDialog)
    form = dialog.form
    form.secret.setFocus()
    qtbot.keyClick(form.secret, Qt.Key.Key_Tab)
    assert dialog.focusWidget() is form.go
    form.go.click()
    assert dialog.focusWidget() is form.secret
    assert form.isEnabled()
    dialog.reject()


def test_a_second_person_is_another_one_and_may(stations, qtbot, site, people):
    site(second_person=True, may={"confirm": ["quality"]})
    station = stations()
    sign_in(qtbot, station, PARK)
    talk, found = station.window.conversations, []
    talk.second_person(found.append)
    dialog = station.window.findChild(SignInDialog)
    form = dialog.form
    assert [form.name.itemText(i) for i in range(form.name.count())] == ["Lee"]
    form.secret.setText(LEE[1])
    form.go.click()
    qtbot.waitUntil(lambda: bool(found), timeout=10_000)
    assert (found[0].name, found[0].role) == ("Lee", "quality")
    assert station.controller.people.current.name == "Park"


def test_a_changed_site_and_settings_are_in_the_log(stations, qtbot, site):
    station = stations()
    controller = station.controller
    controller.change(controller.settings.model_copy(update={"systems": ("ensemble",)}))
    stations.close(station)
    site(auto_lock_minutes=5)
    stations.close(stations())
    lines = [line for _, scan in StationLog().scan() for line in scan.lines]
    changed = next(line for line in lines if line.event == "settings_changed")
    assert changed.content["name"] == "systems"
    policy = next(line for line in lines if line.event == "policy_changed")
    assert policy.content["parts"] == ["people", "site"]


def test_a_session_is_signed_by_whoever_still_has_the_pin(stations, qtbot, lot, people):
    station = stations()
    window, controller = station.window, station.controller
    sign_in(qtbot, station, PARK)
    judged(qtbot, station, lot)
    assert not window.actions_["sign"].isEnabled()
    assert "Operator" in window.actions_["sign"].toolTip()
    window.actions_["lock_screen"].trigger()
    sign_in(qtbot, station, LEE)
    with qtbot.waitSignal(controller.writer.decisions.decided, timeout=10_000):
        window.actions_["accept"].trigger()
    window.actions_["sign"].trigger()
    dialog = window.findChild(SignDialog)
    dialog.meanings["approved"].setChecked(True)
    assert not dialog.confirm.isEnabled()
    dialog.secret.setText(PARK[1])
    dialog.confirm.click()
    qtbot.waitUntil(lambda: "wrong" in dialog.said.text(), timeout=10_000)
    assert controller.writer.record.signatures == []
    dialog.secret.setText(LEE[1])
    assert window.actions_["undo"].isEnabled()
    with qtbot.waitSignal(controller.writer.signed, timeout=10_000):
        dialog.confirm.click()
    assert not window.actions_["undo"].isEnabled()
    (signature,) = controller.writer.record.signatures
    assert (signature.name, signature.role, signature.meaning) == ("Lee", "quality", "approved")
    assert "signed" in events()


def test_without_sign_in_the_named_operator_signs(stations, qtbot, lot):
    station = stations()
    judged(qtbot, station, lot)
    station.window.actions_["sign"].trigger()
    dialog = station.window.findChild(SignDialog)
    assert not dialog.secret.isVisible()
    with qtbot.waitSignal(station.controller.writer.signed, timeout=10_000):
        dialog.confirm.click()
    assert station.controller.writer.record.signatures[0].name == "Kim"


def test_a_critical_defect_is_normal_only_with_a_second_person(stations, qtbot, lot, site, people):
    site(second_person=True, may={"confirm": ["quality"]})
    station = stations()
    controller = station.controller
    sign_in(qtbot, station, PARK)
    judged(qtbot, station, lot)
    critical = next(r for r in controller.rows.values() if r.kind == "internal_defect")
    assert class_table().rows[critical.defect_type].severity == "CRITICAL"
    controller.choose(critical.battery_id)
    word = Word("normal", reason="dust")
    controller.decisions.take(critical.battery_id, word)
    dialog = station.window.findChild(SignInDialog)
    dialog.reject()
    qtbot.waitUntil(lambda: not controller.writer._pool.busy)
    assert controller.rows[critical.battery_id].decision is None

    controller.decisions.take(critical.battery_id, word)
    dialog = next(d for d in station.window.findChildren(SignInDialog) if d.isVisible())
    dialog.form.secret.setText(LEE[1])
    with qtbot.waitSignal(controller.writer.decisions.decided, timeout=10_000):
        dialog.form.go.click()
    decision = controller.rows[critical.battery_id].decision
    assert (decision.operator, decision.second.name) == ("Park", "Lee")
    # Anything but normal needs nobody else.
    other = next(r for r in controller.rows.values() if r.kind == "normal")
    with qtbot.waitSignal(controller.writer.decisions.decided, timeout=10_000):
        controller.decisions.take(other.battery_id, Word("external_defect", reason="scratch"))
    assert controller.rows[other.battery_id].decision.second is None
    # Nor is a colleague's word on it made normal by one person alone.
    controller.decisions.take(other.battery_id, Word("normal", reason="in error"))
    assert any(d.isVisible() for d in station.window.findChildren(SignInDialog))


def test_what_one_person_has_begun_is_not_said_in_the_name_of_the_next(
    stations, qtbot, lot, people
):
    station = stations()
    controller = station.controller
    sign_in(qtbot, station, PARK)
    judged(qtbot, station, lot)
    battery_id = controller.current_id
    station.window.actions_["override"].trigger()
    dialog = station.window.findChild(DecisionDialog)
    assert dialog.isVisible()
    station.window.actions_["lock_screen"].trigger()
    sign_in(qtbot, station, LEE)
    assert not [d for d in station.window.findChildren(DecisionDialog) if d.isVisible()]
    assert controller.rows[battery_id].decision is None
