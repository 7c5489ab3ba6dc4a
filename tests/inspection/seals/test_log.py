"""The station's log: one order over all programs and months, and what was cut off is noticed."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor, wait

from filelock import FileLock

from inspection.people.person import Person
from inspection.seals.chain import Chain, tail
from inspection.seals.keys import station_key
from inspection.seals.log import StationLog, lost_in

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


def cut(log: StationLog, lines: int) -> None:
    (path,) = log.files()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-lines]))


def three_lines() -> StationLog:
    log = StationLog()
    for _ in range(3):
        log.append("sign_in", KIM)
    return log


def test_an_end_that_was_cut_off_is_told_and_stays_told_when_the_log_goes_on(station_data):
    log = three_lines()
    assert log.lost() is None
    cut(log, 1)
    assert (log.lost().code, log.lost().params["known"]) == ("log_cut", 3)
    log.append("sign_in", KIM)
    assert log.lost() is None
    (_, scan), *_ = log.scan()
    assert not scan.problems
    assert [problem.code for problem in lost_in(scan.lines)] == ["log_cut"]
    # Told at the next start of a window, and not at every one after it.
    assert [problem.code for problem in log.lost_since_start()] == ["log_cut"]
    log.append("start")
    assert log.lost_since_start() == []


def test_a_log_that_was_emptied_or_has_lost_what_knows_its_end_is_told(station_data):
    log = three_lines()
    head = station_data / "log_head.json"
    kept = head.read_bytes()
    head.unlink()
    assert log.lost().code == "log_head_gone"
    head.write_bytes(kept.replace(b'"sequence":3', b'"sequence":2'))
    assert log.lost().code == "log_head_gone"
    head.write_bytes(kept)
    log.files()[0].unlink()
    assert log.lost().code == "log_cut"


def test_a_kill_between_a_line_and_what_knows_the_end_is_no_alteration(station_data):
    log = three_lines()
    head = station_data / "log_head.json"
    before = head.read_bytes()
    log.append("sign_in", KIM)
    head.write_bytes(before)
    assert log.lost() is None
    log.append("sign_in", KIM)
    assert "log_altered" not in [line.event for line in log.newest()]


def test_an_end_that_is_being_written_is_waited_for(station_data):
    log = three_lines()
    head = station_data / "log_head.json"
    kept = head.read_bytes()
    with ThreadPoolExecutor(1) as pool:
        with FileLock(log.folder / ".lock"):
            head.unlink()
            told = pool.submit(log.lost)
            # It has seen the log without its end; the writer is not done.
            assert not wait([told], 0.2).done
            head.write_bytes(kept)
        assert told.result(5) is None


def test_a_log_from_before_its_end_was_kept_goes_on_without_a_word(station_data):
    log = StationLog()
    with_head = log.append("start")
    assert with_head.content["headed"] is True
    (path,) = log.files()
    (station_data / "log_head.json").unlink()
    path.unlink()
    place, _ = tail(path)
    Chain(path, station_key(), place).append("start", {"person": None})
    assert log.lost() is None
    assert log.append("start").content["headed"] is True
    assert log.lost() is None


def test_a_station_with_another_key_than_before_keeps_the_end_anew(station_data):
    three_lines()
    (station_data / "keys" / "station.pem").unlink()
    log = StationLog()
    assert log.lost() is None
    assert log.append("start").content["headed"] is True
    assert log.lost() is None
    (station_data / "log_head.json").unlink()
    assert log.lost().code == "log_head_gone"
