"""The station's log: one order over all programs and months, and what was cut off is noticed."""

from __future__ import annotations

import multiprocessing

from inspection.people.person import Person
from inspection.seals.log import StationLog

KIM = Person(name="Kim", role="operator")


def append_many(number: int) -> None:
    for _ in range(20):
        StationLog().append("start", None, program=number)


def test_a_line_tells_who_and_what(station_data):
    log = StationLog()
    log.append("sign_in", KIM, purpose="screen")
    log.append("exported", None, session="20261128_010203")
    newest, older = log.newest()
    assert (newest.event, newest.content["session"]) == ("exported", "20261128_010203")
    assert older.content["person"] == {"name": "Kim", "role": "operator"}
    assert log.last("purpose") == "screen"
    assert log.last("users") is None


def test_programs_that_write_at_once_make_one_chain():
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.map(append_many, range(3))
    scans = [scan for _, scan in StationLog().scan()]
    assert sum(len(scan.lines) for scan in scans) == 60
    assert not any(scan.problems for scan in scans)


def test_a_month_goes_on_where_the_one_before_ended(station_data):
    log = StationLog()
    log.append("start")
    first = log.files()[0].rename(log.folder / "2001-01.jsonl")
    log.append("start")
    log.append("start")
    (_, old), (_, new) = log.scan()
    assert [line.sequence for line in (*old.lines, *new.lines)] == [1, 2, 3]
    assert not old.problems
    assert not new.problems
    # The end of a month cannot be cut off: the next one does not fit any more.
    first.write_bytes(b"")
    assert [scan.problems[0].code for _, scan in log.scan() if scan.problems] == ["seal_line_moved"]


def test_what_a_killed_program_left_goes_aside_and_a_forged_line_does_not_count(station_data):
    log = StationLog()
    log.append("start", None, users="genuine")
    path = log.files()[0]
    whole = path.read_bytes()
    path.write_bytes(whole + whole.replace(b"genuine", b"forged!") + b'{"at": "20')
    assert log.last("users") == "genuine"
    log.append("start")
    (_, scan), *_ = log.scan()
    assert [problem.params["line"] for problem in scan.problems] == [2]
    assert path.with_suffix(".torn").read_bytes() == b'{"at": "20\n'


def test_after_a_clock_was_set_back_the_newest_file_goes_on(station_data):
    log = StationLog()
    log.append("start")
    log.files()[0].rename(log.folder / "2999-12.jsonl")
    log.append("start")
    assert [path.name for path in log.files()] == ["2999-12.jsonl"]
