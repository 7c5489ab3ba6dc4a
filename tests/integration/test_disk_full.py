"""A full disk is one line; what was saved before stays, and the rest follows when there is room."""

from __future__ import annotations

import sys

import pytest
from builders.small_disk import on_small_disk

from inspection.synthetic import SyntheticLot, write_lot

STATION = f'"{sys.executable}" -m app'


def one_line(stderr: str) -> str:
    """Return the error's line; nothing else on stderr may look like a program's insides."""
    assert "Traceback" not in stderr
    assert ".py" not in stderr
    lines = [line for line in stderr.splitlines() if line.startswith("station: ")]
    assert len(lines) == 1, stderr
    return lines[0]


@pytest.mark.long
def test_a_run_and_its_report_onto_a_full_disk_say_so_and_go_on_when_there_is_room(tmp_path):
    lot, disk = tmp_path / "lot", tmp_path / "disk"
    write_lot(lot, SyntheticLot(batteries=3, slices=6, views=2, canvas=192, seed=3))
    disk.mkdir()
    inspect = f'{STATION} inspect "{lot}" --session-dir "{disk}/s" --systems ensemble --language en'
    report = f'{STATION} report "{disk}"/s/* --out "{disk}/r" --formats csv --language en'
    done = on_small_disk(
        disk,
        # Full while the pictures of the first battery are written.
        "120k",
        f"{inspect}; echo first $?;"
        f'mount -o remount,size=200m "{disk}";'
        f'{inspect} --resume "$(ls "{disk}/s")" 2>/dev/null >/dev/null; echo second $?;'
        f'ls -A "{disk}"/s/*/ "{disk}"/s/*/batteries;'
        f'mkdir "{disk}/r"; mount -t tmpfs -o size=4k tmpfs "{disk}/r";'
        f'{report} 2> "{tmp_path}/told"; echo report $?',
    )
    assert "GiB for its session" in done.stderr, "not told beforehand"
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    # 1 where the session could still say itself why it was stopped.
    assert "first 1" in done.stdout or "first 2" in done.stdout
    assert "second 0" in done.stdout
    assert ".tmp" not in done.stdout
    assert done.stdout.count(".json\n") >= 1 + 3
    assert "report 2" in done.stdout
    assert "No space left on device" in one_line((tmp_path / "told").read_text(encoding="utf-8"))


def test_a_listing_onto_a_full_disk_is_one_line(tmp_path):
    done = on_small_disk(
        tmp_path,
        "4k",
        f'head -c 4096 /dev/zero > "{tmp_path}/x"; '
        f'{STATION} models list --json --language en > "{tmp_path}/x2"; echo code $?',
    )
    assert "the disk is full" in one_line(done.stderr)
    assert "code 2" in done.stdout
