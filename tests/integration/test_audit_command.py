"""``station audit``: exit code 1 and the first broken place where a session was altered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.__main__ import app
from inspection.console import run
from inspection.records import Battery, Lot
from inspection.results import BatteryResult, ImagePrint, Verdict
from inspection.seals.keys import fingerprint, station_key
from inspection.session.creating import create_session


@pytest.fixture
def session(tmp_path: Path) -> Path:
    lot = Lot(Path("/lot"), (Battery("001", "001", None),), ())
    with create_session(
        tmp_path / "sessions", lot=lot, language="en", config={}, device="cpu"
    ) as store:
        verdict = Verdict(kind="internal_defect")
        prints = [ImagePrint(image="CT/001.png", size=3, modified_ns=1)]
        store.save_battery(
            BatteryResult(battery_id="001", state="done", verdict=verdict, prints=prints)
        )
        return store.folder


def test_a_sealed_session_and_the_log_pass(session, monkeypatch, capsys):
    monkeypatch.setenv("STATION_LANGUAGE", "en")
    assert run(app, "station", ["audit", "verify", str(session), "--log"]) == 0
    said = capsys.readouterr().out
    assert f"{session}: Sealed" in said
    assert "Not noticed: what is written with the station's own key" in said
    assert run(app, "station", ["audit", "key"]) == 0
    assert capsys.readouterr().out == f"{fingerprint(station_key().public)}\n"


def test_an_altered_session_is_named_with_its_first_broken_place(session, monkeypatch, capsys):
    monkeypatch.setenv("STATION_LANGUAGE", "ko")
    path = session / "batteries" / "001.json"
    path.write_bytes(path.read_bytes().replace(b"internal_defect", b"normal"))
    assert run(app, "station", ["audit", "verify", str(session)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{session}: 변경됨"
    assert "batteries/001.json" in said[2]
    assert run(app, "station", ["audit", "verify", str(session), "--json"]) == 1
    (document,) = json.loads(capsys.readouterr().out)
    assert (document["state"], document["passed"]) == ("altered", False)
    assert document["problems"][0]["params"]["battery"] == "001"


def test_an_altered_log_is_named_with_its_line(session, station_data, monkeypatch, capsys):
    monkeypatch.setenv("STATION_LANGUAGE", "en")
    (path,) = (station_data / "log").glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"event":"head"', b'"event":"hand"'))
    assert run(app, "station", ["audit", "verify", "--log"]) == 1
    assert f"{path.name}, line 2: the line is not as it was written" in capsys.readouterr().out


def test_images_that_changed_since_are_named(session, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STATION_LANGUAGE", "en")
    lot = tmp_path / "lot"
    (lot / "CT" / "001").mkdir(parents=True)
    (lot / "CT" / "001" / "001_z_000.png").write_bytes(b"another slice")
    assert run(app, "station", ["audit", "verify", str(session), "--lot", str(lot)]) == 1
    assert "CT/001.png" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["nowhere"]])
def test_what_cannot_be_verified_is_one_line(arguments, capsys):
    assert run(app, "station", ["audit", "verify", *arguments]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
