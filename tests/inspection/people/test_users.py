"""The people of a station: PINs, roles, lock-outs, and a file that nobody edits unnoticed."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inspection.errors import PeopleError, SealError
from inspection.people.person import Person
from inspection.people.roles import PeopleConfig, load_people
from inspection.people.users import UserStore
from inspection.people.users_file import Users, UsersFile
from inspection.seals.log import StationLog
from tests.builders.users_kill import change_and_die

SECRET = "482915"
OTHER = "quiet river 7"


def signing_in(**throttle: float) -> PeopleConfig:
    config = load_people().model_dump()
    config["sign_in"] = True
    config["throttle"] |= {"wait_seconds": 0.0} | throttle
    return PeopleConfig.model_validate(config)


def opened(folder: Path, **throttle: float) -> UserStore:
    return UserStore(signing_in(**throttle), StationLog(), folder / "people")


@pytest.fixture
def store(station_data) -> UserStore:
    return opened(station_data)


@pytest.fixture
def boss(store) -> Person:
    return store.add_first("Seo Yun", SECRET)


def code_of(caught: pytest.ExceptionInfo[PeopleError]) -> str:
    return caught.value.message.code


def with_own_pin(store: UserStore, boss: Person, name: str, role: str) -> Person:
    store.add(name, role, "771001", boss)
    return store.sign_in(name, "771001", OTHER)


def test_the_first_person_is_the_administrator_and_there_is_only_one_first(store, boss):
    assert boss == Person(name="Seo Yun", role="administrator")
    assert store.sign_in("seo  yun", SECRET) == boss
    with pytest.raises(PeopleError) as caught:
        store.add_first("Kim", SECRET)
    assert code_of(caught) == "users_not_first"


def test_a_pin_that_another_gave_only_serves_to_choose_ones_own(store, boss):
    store.add("김민지", "operator", "771001", boss)
    for new, code in (
        ("", "sign_in_renew"),
        ("771001", "secret_same"),
        ("1234", "secret_length"),
        ("111111", "secret_simple"),
    ):
        with pytest.raises(PeopleError) as caught:
            store.sign_in("김민지", "771001", new)
        assert code_of(caught) == code
    assert store.sign_in("김민지", "771001", OTHER).role == "operator"
    assert store.sign_in("김민지", OTHER).name == "김민지"
    with pytest.raises(PeopleError):
        store.sign_in("김민지", "771001")


def test_too_many_wrong_pins_lock_a_person_out_also_after_a_restart(store, boss, station_data):
    for _ in range(4):
        with pytest.raises(PeopleError) as caught:
            store.sign_in("Seo Yun", "000111")
        assert code_of(caught) == "sign_in_wrong"
    for _ in range(2):
        with pytest.raises(PeopleError) as caught:
            opened(station_data).sign_in("Seo Yun", "000222")
        assert code_of(caught) == "sign_in_locked"
    with pytest.raises(PeopleError) as caught:
        opened(station_data).sign_in("Seo Yun", SECRET)
    assert code_of(caught) == "sign_in_locked"


def test_a_lock_out_ends_by_itself_or_by_an_administrator(boss, station_data):
    store = opened(station_data, attempts=1, lock_minutes=0.01)
    worker = with_own_pin(store, boss, "Park", "operator")
    with pytest.raises(PeopleError):
        store.sign_in("Seo Yun", "000111")
    until = time.monotonic() + 10
    while True:
        try:
            assert store.sign_in("Seo Yun", SECRET) == boss
            break
        except PeopleError:
            assert time.monotonic() < until
    longer = opened(station_data, attempts=1, lock_minutes=60)
    with pytest.raises(PeopleError):
        longer.sign_in("Park", "000111")
    longer.unlock("Park", boss)
    assert longer.sign_in("Park", OTHER) == worker


def test_the_next_try_after_a_wrong_pin_has_to_wait(boss, station_data):
    store = opened(station_data, wait_seconds=30.0)
    with pytest.raises(PeopleError):
        store.sign_in("Seo Yun", "000111")
    with pytest.raises(PeopleError) as caught:
        opened(station_data, wait_seconds=30.0).sign_in("Seo Yun", SECRET)
    assert code_of(caught) == "sign_in_soon"


def test_only_who_may_changes_users_and_somebody_who_may_remains(store, boss):
    worker = with_own_pin(store, boss, "Park", "operator")
    for change in (
        lambda by: store.add("Lee", "quality", "771001", by),
        lambda by: store.remove("Seo Yun", by),
        lambda by: store.set_role("Park", "administrator", by),
        lambda by: store.reset("Seo Yun", "771001", by),
        lambda by: store.unlock("Seo Yun", by),
    ):
        for by in (worker, Person(name="Park", role="administrator"), Person(name="Nobody")):
            with pytest.raises(PeopleError) as caught:
                change(by)
            assert code_of(caught) == "users_not_allowed"
    for change in (
        lambda: store.remove("Seo Yun", boss),
        lambda: store.set_role("Seo Yun", "quality", boss),
    ):
        with pytest.raises(PeopleError) as caught:
            change()
        assert code_of(caught) == "users_last"
    store.set_role("Park", "administrator", boss)
    store.remove("Seo Yun", Person(name="Park", role="administrator"))
    assert [user.name for user in store.users()] == ["Park"]


def test_a_reset_pin_ends_the_old_one_and_a_lock_out(boss, station_data):
    store = opened(station_data, attempts=1)
    worker = with_own_pin(store, boss, "Park", "operator")
    with pytest.raises(PeopleError):
        store.sign_in("Park", "000111")
    store.reset("Park", "660099", boss)
    assert store.sign_in("Park", "660099", "another 5") == worker
    with pytest.raises(PeopleError):
        store.sign_in("Park", OTHER)


@pytest.mark.parametrize("name", ["", "  ", "a" * 81, "Kim\x07", "seo yun"])
def test_a_name_that_cannot_be_told_apart_is_refused(store, boss, name):
    with pytest.raises(PeopleError) as caught:
        store.add(name, "operator", "771001", boss)
    assert code_of(caught) in ("user_name_wrong", "user_taken")


def test_a_file_that_was_edited_is_told_and_so_is_one_that_is_gone(store, boss, station_data):
    store.add("Park", "operator", "771001", boss)
    assert store.problem() is None
    before = store.path.read_bytes()
    content = json.loads(before)
    content["users"][1]["role"] = "quality"
    store.path.write_text(json.dumps(content), encoding="utf-8")
    assert opened(station_data).problem().code == "users_altered"
    # A sign-in goes on, and the log has it.
    assert store.sign_in("Seo Yun", SECRET) == boss
    assert next(StationLog().newest()).content["purpose"] == "screen"
    assert "users_altered" in [line.event for line in StationLog().newest()]
    store.path.write_bytes(before)
    assert store.problem() is None
    store.path.unlink()
    assert opened(station_data).problem().code == "users_gone"


def test_neither_the_log_nor_the_file_holds_a_pin(store, boss, station_data):
    store.add("Park", "operator", "771001", boss)
    with pytest.raises(PeopleError):
        store.sign_in("Park", "909012")
    with pytest.raises(PeopleError):
        # Typed into the wrong field.
        store.sign_in("313373", "x")
    store.sign_in("Park", "771001", OTHER)
    store.reset("Park", "665544", boss)
    kept = b"".join(path.read_bytes() for path in station_data.rglob("*") if path.is_file())
    for secret in (SECRET, "771001", "909012", "313373", OTHER, "665544"):
        assert secret.encode() not in kept


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('{"schema_version": 9, "users": []}', "users_newer"),
        ('{"users": [', "users_damaged"),
        ("[]", "users_damaged"),
        ('{"schema_version": 1, "users": [{"name": "x"}]}', "users_damaged"),
    ],
)
def test_a_file_that_cannot_be_used_is_left_as_it_is(store, boss, content, code):
    store.path.write_text(content, encoding="utf-8")
    for attempt in (store.users, lambda: store.sign_in("Seo Yun", SECRET)):
        with pytest.raises(PeopleError) as caught:
            attempt()
        assert code_of(caught) == code
    assert store.path.read_text("utf-8") == content


def test_a_change_that_the_log_does_not_take_does_not_count(store, boss):
    before = store.path.read_bytes()
    log = StationLog()
    for path in log.files():
        path.unlink()
    for path in log.folder.iterdir():
        path.unlink()
    log.folder.rmdir()
    log.folder.write_text("no folder", encoding="utf-8")
    with pytest.raises(SealError):
        store.reset("Seo Yun", "771001", boss)
    assert store.path.read_bytes() == before


@pytest.mark.parametrize("moment", ["staged", "logged"])
def test_a_kill_while_the_users_are_saved_alters_nothing(store, boss, station_data, moment):
    before = store.path.read_bytes()
    code = change_and_die(moment, "Park")
    assert code == 9
    again = opened(station_data)
    assert again.problem() is None
    # What the log has was done; what it does not have was not.
    names = {"staged": ["Seo Yun"], "logged": ["Park", "Seo Yun"]}
    assert [user.name for user in again.users()] == names[moment]
    assert again.sign_in("Seo Yun", SECRET) == boss
    assert "users_altered" not in [line.event for line in StationLog().newest()]
    assert (store.path.read_bytes() == before) == (moment == "staged")
    again.add("Lee", "quality", "771001", boss)
    assert not list(store.path.parent.glob("*.tmp"))


def test_what_was_edited_after_a_kill_is_told_and_not_written_over(store, boss, station_data):
    change_and_die("logged", "Park")
    edited = store.path.read_bytes().replace(b"administrator", b"quality")
    store.path.write_bytes(edited)
    assert opened(station_data).problem().code == "users_altered"
    assert store.path.read_bytes() == edited


def test_a_lock_out_of_a_clock_that_was_ahead_ends_within_the_usual_time(boss, station_data):
    store = opened(station_data, attempts=1, lock_minutes=0.01)
    with pytest.raises(PeopleError):
        store.sign_in("Seo Yun", "000111")
    kept = Users.model_validate_json(store.path.read_bytes())
    ahead = datetime.now(UTC) + timedelta(days=4000)
    late = {"failed_at": ahead, "locked_until": ahead + timedelta(minutes=1)}
    file = UsersFile(store.path, StationLog())
    with file.alone():
        user = kept.users[0]
        file.write(kept.put(user, user.model_copy(update=late)), "locked_out", None)
    with pytest.raises(PeopleError) as caught:
        store.sign_in("Seo Yun", SECRET)
    assert code_of(caught) == "sign_in_locked"
    assert caught.value.message.params["minutes"] == 1
    until = time.monotonic() + 10
    while True:
        try:
            assert store.sign_in("Seo Yun", SECRET) == boss
            break
        except PeopleError:
            assert time.monotonic() < until
