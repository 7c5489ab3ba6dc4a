"""``station users`` and ``station log``: administrators change, the log tells, no PIN is shown."""

from __future__ import annotations

import io
import json
import sys

import pytest

from app.__main__ import app
from inspection.console import run
from inspection.people.roles import load_people
from inspection.people.users import UserStore
from inspection.seals.log import StationLog


@pytest.fixture
def station(monkeypatch, capsys):
    """Run a command with lines of standard input; return its exit code and what it says."""
    monkeypatch.setenv("STATION_LANGUAGE", "en")

    def call(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        code = run(app, "station", list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def boss(station):
    code, out, _ = station("users", "add", "Seo Yun", typed="482915\n482915\n")
    assert code == 0
    assert out == "Added: Seo Yun, Administrator.\n"
    return "482915\n"


def test_users_are_added_changed_let_in_again_and_removed(station, boss):
    pin = "771001\n771001\n"
    assert station("users", "add", "Park", "--role", "quality", typed=boss + pin)[0] == 0
    assert station("users", "role", "Park", "engineer", typed=boss)[0] == 0
    assert station("users", "reset", "Park", typed=boss + "660099\n660099\n")[0] == 0
    assert station("users", "unlock", "Park", typed=boss)[0] == 0
    code, out, _ = station("users", "list", "--json")
    assert code == 0
    park, seo = json.loads(out)
    assert (park["role"], park["temporary"], seo["role"]) == ("engineer", True, "administrator")
    assert "secret" not in park
    assert station("users", "remove", "Park", typed=boss)[0] == 0
    assert "Park" not in station("users", "list")[1]


def test_nobody_changes_users_without_an_administrators_pin(station, boss):
    # Also at a station where, so far, nobody signs in.
    assert not load_people().sign_in
    station("users", "add", "Park", typed=boss + "771001\n771001\n")
    UserStore(load_people(), StationLog()).sign_in("Park", "771001", "quiet river")
    code, _, err = station(
        "users", "add", "Lee", "--by", "Park", typed="quiet river\n771001\n771001\n"
    )
    assert code == 2
    assert "Park may not manage users." in err
    code, _, err = station("users", "remove", "Nobody", typed=boss)
    assert code == 2
    assert "There is no user Nobody." in err
    code, _, err = station("users", "remove", "Park", typed="000111\n")
    assert code == 2
    assert "wrong" in err
    # Nor by trying on at once.
    assert station("users", "remove", "Park", typed=boss)[0] == 2
    assert "Park" in station("users", "list")[1]


def test_two_entries_that_differ_add_nobody(station):
    code, _, err = station("users", "add", "Kim", typed="482915\n482916\n")
    assert code == 2
    assert "differ" in err
    assert station("users", "list", "--json")[1] == "[]\n"


def test_the_log_is_shown_without_pins_and_a_cut_is_told(station, boss):
    station("users", "reset", "Seo Yun", typed=boss + "660099\n660099\n")
    code, out, _ = station("log")
    assert code == 0
    assert "PIN reset" in out
    assert "Seo Yun" in out
    assert not any(secret in out for secret in ("482915", "660099"))
    code, out, _ = station("log", "--json", "--last", "1")
    assert [line["event"] for line in json.loads(out)] == ["pin_reset"]
    korean = station("log", "--language", "ko")[1]
    assert "용도 명령" in korean
    assert not any(word in korean for word in ("purpose", "users_before", "headed", "True"))
    path = StationLog().files()[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    code, _, err = station("log", "--language", "ko")
    assert code == 1
    assert "2번째 줄" in err


def test_an_end_of_the_log_that_was_cut_off_is_told(station, boss):
    path = StationLog().files()[0]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    for command in (("log",), ("audit", "verify", "--log")):
        code, out, err = station(*command)
        assert code == 1
        assert "has lost its end" in out + err
