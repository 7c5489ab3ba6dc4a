"""A session without a seal that is younger than the station's seals does not pass as an old one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders.before_seals import strip_seal
from builders.finished_session import finished_session

from inspection.seals.log import StationLog
from inspection.session.store import SessionStore
from inspection.session.verify import verify_session


def renamed(folder: Path, name: str) -> Path:
    """Give a session another name, and no seal."""
    strip_seal(folder)
    path = folder / "session.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(record | {"run_id": name}), encoding="utf-8")
    return folder.rename(folder.with_name(name))


@pytest.mark.parametrize("with_audit", [True, False])
def test_a_session_that_was_renamed_and_dressed_as_an_old_one_is_told(tmp_path, with_audit):
    StationLog().append("start")
    folder = renamed(finished_session(tmp_path, datetime.now(UTC)), "20991231_235959")
    if not with_audit:
        (folder / "audit.jsonl").unlink()
    report = verify_session(folder)
    assert report.state == "unsealed"
    assert "seal_missing" in [problem.code for problem in report.problems]
    # It is not forgotten when the session goes on, and is sealed from then on.
    with SessionStore.open(folder) as store:
        store.mark("cancelled")
    report = verify_session(folder)
    assert report.state == "unsealed"
    assert "seal_missing" in [problem.code for problem in report.problems]


def test_a_session_from_before_the_first_seal_is_an_old_one(tmp_path):
    StationLog().append("start")
    folder = renamed(finished_session(tmp_path, datetime.now(UTC) - timedelta(days=9)), "20011231")
    assert verify_session(folder).problems == ()


def test_a_station_that_has_never_sealed_says_nothing(tmp_path, station_data, monkeypatch):
    folder = renamed(finished_session(tmp_path / "sessions", datetime.now(UTC)), "20991231_235959")
    monkeypatch.setenv("STATION_DATA", str(tmp_path / "another station"))
    assert verify_session(folder).problems == ()
