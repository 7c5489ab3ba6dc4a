"""Backup, restore, packing and keeping, as they are typed in."""

from __future__ import annotations

import shutil
import sys

import pytest
from builders.finished_session import finished_session
from builders.small_disk import on_small_disk

from app.__main__ import app
from inspection.console import run
from inspection.people.roles import load_people
from inspection.people.users import UserStore
from inspection.seals.log import StationLog


def station(*arguments):
    return run(app, "station", [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("STATION_SETTINGS", str(tmp_path / "settings.json"))
    # A site that a command was given counts for the rest of its process.
    monkeypatch.setenv("STATION_SITE", "")


def test_a_station_is_backed_up_and_comes_back_with_its_users(tmp_path, station_data, capsys):
    sessions, archive = tmp_path / "sessions", tmp_path / "backup.zip"
    session = finished_session(sessions)
    UserStore(load_people(), StationLog()).add_first("park", "246813")
    assert station("backup", archive, "--session-dir", sessions) == 0
    shutil.rmtree(sessions)
    shutil.rmtree(station_data)
    assert station("restore", archive, "--session-dir", sessions) == 0
    assert station("audit", "verify", session, "--log") == 0
    capsys.readouterr()
    assert station("users", "list") == 0
    assert "park" in capsys.readouterr().out
    # A second time there is a station already: nothing is touched.
    assert station("restore", archive, "--session-dir", sessions) == 2
    assert "--replace" in capsys.readouterr().err


def test_a_part_that_cannot_be_set_aside_leaves_the_station_as_it_was(tmp_path, station_data):
    sessions, archive = tmp_path / "sessions", tmp_path / "backup.zip"
    session = finished_session(sessions)
    UserStore(load_people(), StationLog()).add_first("park", "246813")
    assert station("backup", archive, "--session-dir", sessions) == 0
    StationLog().append("start")
    shutil.rmtree(session)
    before = {path: path.read_bytes() for path in station_data.rglob("*") if path.is_file()}
    # A disk of its own cannot be renamed: the log was moved by then.
    done = on_small_disk(
        station_data / "people",
        "64k",
        f"{sys.executable} -m app restore {archive} --replace --session-dir {sessions}",
    )
    assert done.returncode == 2, done.stderr
    assert "as it was before" in done.stderr
    assert list(sessions.iterdir()) == []
    assert {p: p.read_bytes() for p in station_data.rglob("*") if p.is_file()} == before


def test_a_backup_to_a_folder_that_is_not_there_names_it(tmp_path, capsys):
    out = tmp_path / "gone" / "b.zip"
    assert station("backup", out, "--session-dir", tmp_path / "sessions") == 2
    told = capsys.readouterr().err
    assert str(out.parent) in told
    assert "not there" in told


def test_a_packed_session_is_verified_and_reported(tmp_path, capsys):
    session, packed = finished_session(tmp_path / "sessions"), tmp_path / "s.zip"
    assert station("archive", session, packed) == 0
    shutil.rmtree(session)
    assert station("audit", "verify", packed) == 0
    assert station("report", packed, "--out", tmp_path / "report", "--formats", "csv") == 0
    assert "001" in (tmp_path / "report" / "batteries.csv").read_text(encoding="utf-8-sig")
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 1
    packed.write_bytes(content)
    capsys.readouterr()
    assert station("audit", "verify", packed) == 1
    assert "s.zip" in capsys.readouterr().out


def test_evidence_goes_after_its_notice(tmp_path, capsys):
    session = finished_session(tmp_path / "sessions")
    pictures = list((session / "evidence").rglob("*.jpg"))
    for notice, code in ((3, True), (0, False)):
        site = tmp_path / f"site-{notice}"
        site.mkdir()
        rule = f"keeping:\n  evidence: {{max_days: 1, notice_days: {notice}}}\n"
        (site / "site.yaml").write_text(rule, encoding="utf-8")
        assert station("keep", "--session-dir", session.parent, "--site", site) == 0
        assert session.name in capsys.readouterr().out
        assert all(picture.exists() == code for picture in pictures)
    assert station("audit", "verify", session) == 0
