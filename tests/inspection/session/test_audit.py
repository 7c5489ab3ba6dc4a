"""The log of decisions: what was changed, removed or cut off shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from inspection.session.audit import AuditLog, scan_audit
from inspection.session.record import Decision

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def verify_audit(path):
    """Return the first line (1-based) that was altered, removed or torn; None where all fit."""
    scan = scan_audit(path)
    if scan.broken_line is None and scan.torn:
        return len(scan.entries) + 1
    return scan.broken_line


def append(log, battery="044", **changes):
    values = {
        "action": "override",
        "kind": "normal",
        "reason": "먼지",
        "comment": 'dust, not "porosity"\nsecond line',
        "operator": "김검사",
        "decided_at": AT,
        **changes,
    }
    return log.append(battery, "review", Decision(**values))


@pytest.fixture
def path(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    for number in range(4):
        append(log, f"{number:03}")
    return log.path


def lines(path):
    return path.read_bytes().splitlines(keepends=True)


def test_an_empty_or_absent_log_verifies(tmp_path):
    assert verify_audit(tmp_path / "audit.jsonl") is None
    (tmp_path / "audit.jsonl").touch()
    assert verify_audit(tmp_path / "audit.jsonl") is None


def test_every_line_is_json_and_carries_the_hash_of_the_one_before(path):
    entries = [json.loads(line) for line in lines(path)]
    assert [entry["sequence"] for entry in entries] == [1, 2, 3, 4]
    assert [e["previous"] for e in entries[1:]] == [e["hash"] for e in entries[:-1]]
    assert entries[0]["operator"] == "김검사"
    assert verify_audit(path) is None


def test_appending_goes_on_after_reopening(path):
    append(AuditLog(path), "004")
    assert len(scan_audit(path).entries) == 5
    assert verify_audit(path) is None


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda ls: [ls[0], ls[1].replace(b'"002"', b'"777"').replace(b'"001"', b'"777"')], 2),
        (lambda ls: [ls[0], ls[1].replace(b"dust", b"dirt"), *ls[2:]], 2),
        (lambda ls: ls[1:], 1),
        (lambda ls: [ls[0], *ls[2:]], 2),
        (lambda ls: [ls[0], ls[2], ls[1], ls[3]], 2),
        (lambda ls: [*ls, ls[-1]], 5),
        (lambda ls: [*ls[:2], b"\n", *ls[2:]], 3),
        (lambda ls: [*ls[:2], b"\xff\xfe\n", *ls[2:]], 3),
        (lambda ls: [*ls[:2], b"[]\n"], 3),
        (lambda ls: [ls[0].replace(b'"sequence":1', b'"sequence":9'), *ls[1:]], 1),
    ],
    ids=[
        "battery",
        "text",
        "first",
        "middle",
        "swapped",
        "doubled",
        "blank",
        "bytes",
        "other",
        "sequence",
    ],
)
def test_tampering_is_found_at_its_line(path, change, broken):
    path.write_bytes(b"".join(change(lines(path))))
    assert verify_audit(path) == broken


def test_a_torn_last_line_is_found_set_aside_and_written_over(path):
    whole = path.read_bytes()
    half = lines(path)[-1][:40]
    path.write_bytes(whole + half)
    assert verify_audit(path) == 5
    log = AuditLog(path)
    assert log.scan.torn == half
    assert path.read_bytes() == whole
    assert half in path.with_suffix(".torn").read_bytes()
    append(log, "004")
    assert verify_audit(path) is None


def test_every_cut_of_the_last_line_leaves_the_lines_before(path):
    whole, last = path.read_bytes(), len(lines(path)[-1])
    for cut in range(1, last):
        path.write_bytes(whole[:-cut])
        scan = scan_audit(path)
        assert (len(scan.entries), scan.broken_line) == (3, None)


def test_a_broken_log_stays_broken_but_takes_new_lines(path):
    kept = lines(path)
    kept[1] = kept[1].replace(b"dust", b"dirt")
    path.write_bytes(b"".join(kept))
    append(AuditLog(path), "004")
    assert path.read_bytes().startswith(b"".join(kept))
    assert verify_audit(path) == 2
