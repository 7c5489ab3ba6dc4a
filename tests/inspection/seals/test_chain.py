"""The chain: every line is told apart from one that the station did not write."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from inspection.seals.chain import (
    GENESIS,
    START,
    Chain,
    ChainPlace,
    canonical,
    digest_of,
    scan_chain,
    tail,
)
from inspection.seals.keys import station_key


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    chain = Chain.open(tmp_path / "audit.jsonl", station_key())
    for number in range(4):
        chain.append("decided", {"battery_id": f"00{number}", "comment": "먼지"})
    return chain


def lines_of(chain: Chain) -> list[bytes]:
    return chain.path.read_bytes().splitlines()


def found(chain: Chain) -> list[tuple[str, object]]:
    scan = scan_chain(chain.path)
    return [(p.code, p.params["line"]) for p in (*scan.problems, *scan.clock)]


def test_what_is_appended_is_read_back_in_order(chain: Chain) -> None:
    scan = scan_chain(chain.path)
    assert [line.sequence for line in scan.lines] == [1, 2, 3, 4]
    assert [line.content["battery_id"] for line in scan.lines] == ["000", "001", "002", "003"]
    assert scan.lines[0].previous == GENESIS
    assert not scan.problems
    assert not scan.clock
    assert chain.path.stat().st_mode & 0o777 == 0o600
    assert scan.place == chain.place == tail(chain.path)[0]


def rewritten(text: bytes, key: str, value: object, *, rehash: bool) -> bytes:
    content = json.loads(text)
    content[key] = value
    if rehash:
        hashed = {k: v for k, v in content.items() if k not in ("hash", "signature")}
        content["hash"] = digest_of(hashed)
    return canonical(content)


EDITS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str, int]] = {
    "a word is changed": (
        lambda x: [*x[:1], rewritten(x[1], "event", "undone", rehash=False), *x[2:]],
        "seal_line_altered",
        2,
    ),
    "changed and hashed again": (
        lambda x: [*x[:1], rewritten(x[1], "event", "undone", rehash=True), *x[2:]],
        "seal_signature_wrong",
        2,
    ),
    "a space is put in": (
        lambda x: [*x[:1], x[1].replace(b",", b", ", 1), *x[2:]],
        "seal_line_altered",
        2,
    ),
    "a key comes twice": (
        lambda x: [*x[:1], x[1].replace(b'{"at"', b'{"event":"undone","at"'), *x[2:]],
        "seal_line_altered",
        2,
    ),
    "removed": (lambda x: [*x[:1], *x[2:]], "seal_line_moved", 2),
    "twice": (lambda x: [*x[:2], *x[1:]], "seal_line_moved", 3),
    "two change places": (lambda x: [x[1], x[0], *x[2:]], "seal_line_moved", 1),
    "no JSON": (lambda x: [*x[:1], b"\x00\xff", *x[2:]], "seal_line_altered", 2),
    "empty": (lambda x: [*x[:1], b"", *x[1:]], "seal_line_altered", 2),
    "no object": (lambda x: [*x[:1], b"[1]", *x[1:]], "seal_line_altered", 2),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_noticed_where_it_is(edit: str, chain: Chain) -> None:
    change, code, line = EDITS[edit]
    chain.path.write_bytes(b"\n".join([*change(lines_of(chain)), b""]))
    assert found(chain)[0] == (code, line)
    assert scan_chain(chain.path).broken_line == line


def test_lines_after_an_altered_one_still_count(chain: Chain) -> None:
    first, second, *rest = lines_of(chain)
    altered = rewritten(second, "event", "undone", rehash=False)
    chain.path.write_bytes(b"\n".join([first, altered, *rest, b""]))
    again = Chain.open(chain.path, station_key())
    again.append("decided", {"battery_id": "004"})
    scan = scan_chain(chain.path)
    assert [line.sequence for line in scan.lines] == [1, 3, 4, 5]
    assert len(scan.problems) == 1


def test_a_line_of_another_key_names_that_key(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = station_key().public
    monkeypatch.setenv("STATION_DATA", str(tmp_path / "another station"))
    Chain.open(chain.path, station_key()).append("decided", {"battery_id": "004"})
    scan = scan_chain(chain.path)
    assert not scan.problems
    assert {line.key for line in scan.lines[:4]} == {own}
    assert scan.lines[4].key != own


def old_line(place: ChainPlace) -> tuple[bytes, ChainPlace]:
    content = {
        "sequence": place.sequence + 1,
        "previous": place.hash,
        "at": "2026-11-22T09:30:15+09:00",
        "operator": "김검사",
        "battery_id": "001",
        "action": "accept",
        "kind_before": "normal",
        "kind_after": "normal",
        "reason": "",
        "comment": "",
    }
    digest = digest_of(content)
    return canonical({**content, "hash": digest}), ChainPlace(place.sequence + 1, digest)


def test_a_chain_goes_on_after_lines_from_before_there_were_signatures(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    first, place = old_line(START)
    second, place = old_line(place)
    path.write_bytes(first + b"\n" + second + b"\n")
    chain = Chain.open(path, station_key())
    chain.append("adopted", {})
    scan = scan_chain(path)
    assert not scan.problems
    assert [line.event for line in scan.lines] == ["before_seals", "before_seals", "adopted"]
    assert scan.lines[0].content["operator"] == "김검사"


def test_a_line_without_a_signature_does_not_follow_one_with(chain: Chain) -> None:
    forged, _ = old_line(chain.place)
    with chain.path.open("ab") as file:
        file.write(forged + b"\n")
    assert found(chain) == [("seal_line_unsigned", 5)]
    assert len(scan_chain(chain.path).lines) == 4


def test_what_a_killed_append_left_goes_aside(chain: Chain) -> None:
    whole = chain.path.read_bytes()
    chain.path.write_bytes(whole + b'{"at":"20')
    assert scan_chain(chain.path).torn == b'{"at":"20'
    Chain.open(chain.path, station_key()).append("decided", {"battery_id": "004"})
    scan = scan_chain(chain.path)
    assert len(scan.lines) == 5
    assert not scan.problems
    assert chain.path.with_suffix(".torn").read_bytes() == b'{"at":"20\n'


def test_a_disk_that_refuses_leaves_the_chain_as_it_was(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = chain.path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            chain.append("decided", {"battery_id": "004"})
    assert chain.path.read_bytes() == before
    assert chain.append("decided", {"battery_id": "004"}).sequence == 5


def test_a_clock_that_was_set_back_is_told_with_the_line(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datetime as real

    class Back(real.datetime):
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> real.datetime:
            return real.datetime.now(tz) - real.timedelta(hours=1)

    monkeypatch.setattr("inspection.seals.chain.datetime", Back)
    chain.append("decided", {"battery_id": "004"})
    assert found(chain) == [("seal_clock_back", 5)]


def test_a_chain_that_began_in_another_file_follows_it(chain: Chain, tmp_path: Path) -> None:
    path = tmp_path / "next.jsonl"
    place, _ = tail(path, chain.place)
    Chain(path, station_key(), place).append("decided", {})
    assert not scan_chain(path, chain.place).problems
    assert scan_chain(path).problems
    assert tail(path)[0].sequence == 5


def test_what_a_failed_append_left_is_cut_off_before_the_next(tmp_path, monkeypatch):
    path = tmp_path / "chain.jsonl"
    chain = Chain.open(path, station_key())
    chain.append("one", {})
    opened = Path.open

    def gone(self, mode="r", *arguments, **more):
        if mode == "rb+":
            raise OSError(errno.EIO, "the share is gone")
        return opened(self, mode, *arguments, **more)

    def failing(_descriptor):
        raise OSError(errno.EIO, "the share is gone")

    with monkeypatch.context() as share:
        share.setattr(Path, "open", gone)
        share.setattr("inspection.seals.chain.os.fsync", failing)
        with pytest.raises(OSError, match="gone"):
            chain.append("two", {})
    # The line is whole on the disk, but was said not to be.
    assert path.read_bytes().count(b"\n") == 2
    chain.append("three", {})
    scan = scan_chain(path)
    assert [line.event for line in scan.lines] == ["one", "three"]
    assert scan.problems == ()
