"""A session that the program of version 1 wrote: it opens unsealed and loses nothing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from inspection.people.person import Person
from inspection.report import write_report
from inspection.results import BatteryResult
from inspection.session.store import SessionStore

WRITTEN = Path(__file__).parent / "version_1" / "20261127_003015"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WRITTEN, tmp_path / WRITTEN.name))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("read_only", [True, False])
def test_everything_in_it_is_there_and_looking_changes_nothing(folder: Path, read_only) -> None:
    before = contents(folder)
    told = json.loads(before["session.json"])
    with SessionStore.open(folder, read_only=read_only) as store:
        assert (store.seal.state, store.problems) == ("unsealed", ())
        record = store.record
        assert (record.operator, record.station, record.status) == ("김검사", "L3", "cancelled")
        assert record.config == told["config"]
        rows = {row.battery_id: row for row in record.batteries}
        assert [(row.kind, row.state) for row in rows.values()] == [
            (row["kind"], row["state"]) for row in told["batteries"]
        ]
        assert rows["001"].decision.operator == "박검사"
        assert [decision.operator for decision in rows["001"].earlier] == ["김검사"]
        assert (rows["002"].decision.reason, rows["002"].decision.comment) == ("긁힘", "재검")
        assert rows["003"].decision is None
        assert [entry.decision.action for entry in store.audit] == [
            "accept",
            "override",
            "override",
            "undo",
            "override",
        ]
        for battery_id in ("001", "002", "003"):
            written = json.loads(before[f"batteries/{battery_id}.json"])
            assert store.load_battery(battery_id) == BatteryResult.model_validate(written)
    kept = contents(folder)
    # Opened to write, the row shows what the log always knew: the decision before the last.
    differing = {name for name in before if kept[name] != before[name]}
    assert differing <= {"session.json"}
    assert not (read_only and differing)


def test_it_goes_on_sealed_after_lines_that_nobody_rewrites(folder: Path) -> None:
    before = contents(folder)
    with SessionStore.open(folder) as store:
        assert store.undo(Person(name="박검사")).decision.operator == "김검사"
        result = store.load_battery("003")
        assert result is not None
        store.save_battery(result.model_copy(update={"battery_id": "004"}))
    kept = contents(folder)
    assert kept["audit.jsonl"].startswith(before["audit.jsonl"])
    for name in ("001", "002", "003"):
        assert kept[f"batteries/{name}.json"] == before[f"batteries/{name}.json"]
    with SessionStore.open(folder, read_only=True) as store:
        assert (store.seal.state, store.problems) == ("unsealed", ())
        assert store.seal.since is not None
        assert store.record.processed_images == 12


def test_its_report_says_that_it_is_not_sealed(folder: Path, tmp_path: Path) -> None:
    write_report(folder, ["html", "json"], tmp_path / "out", "en")
    assert "Not sealed" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    told = json.loads((tmp_path / "out" / "audit.json").read_bytes())
    assert told["seal"]["state"] == "unsealed"
    assert len(told["decisions"]) == 5


@pytest.mark.parametrize("edited", ["session.json", "batteries/001.json"])
def test_a_verdict_that_was_cleared_in_one_of_its_files_is_told_and_not_shown(folder, edited):
    before = json.loads((folder / "session.json").read_bytes())["batteries"][0]
    assert before["kind"] != "normal"
    path = folder / edited
    content = json.loads(path.read_bytes())
    changed = content["batteries"][0] if edited == "session.json" else content["verdict"]
    changed["kind"], changed["defect_type"] = "normal", None
    path.write_text(json.dumps(content), encoding="utf-8")
    # Earlier than session.json, as it was when both were written.
    os.utime(folder / "batteries" / "001.json", (1, 1))
    with SessionStore.open(folder, read_only=True) as store:
        assert store.record.batteries[0].kind == before["kind"]
        told = [problem.code for problem in store.seal.problems]
    assert told == ["session_row_contradicted"]
