"""What has changed on a battery's images since it was taken up is named."""

from __future__ import annotations

import os

import pytest

from inspection.lot.scan import scan_lot
from inspection.results import BatteryResult, Verdict
from inspection.session.prints import changed_images, print_images


@pytest.fixture
def lot(tmp_path):
    folder = tmp_path / "lot" / "001" / "ct"
    folder.mkdir(parents=True)
    for number in range(4):
        (folder / f"{number}.png").write_bytes(b"picture")
    return scan_lot(tmp_path / "lot")


def taken_up(lot, *, digests=False):
    battery = lot.batteries[0]
    return BatteryResult(
        battery_id=battery.battery_id,
        state="done",
        verdict=Verdict(kind="normal"),
        prints=print_images(battery, lot.root, digests=digests),
    )


def changed(result, lot, **how):
    return [(m.code, m.params["names"]) for m in changed_images(result, lot.root, **how)]


def test_files_that_are_as_they_were_say_nothing(lot):
    assert changed(taken_up(lot), lot, battery=lot.batteries[0]) == []


def test_another_size_another_time_a_file_that_is_gone_and_one_that_came_are_named(lot):
    result = taken_up(lot)
    folder = lot.root / "001" / "ct"
    (folder / "0.png").write_bytes(b"another")
    os.utime(folder / "0.png", ns=(1, 1))
    (folder / "1.png").write_bytes(b"longer than before")
    (folder / "2.png").unlink()
    (folder / "9.png").write_bytes(b"picture")
    assert changed(result, lot, battery=scan_lot(lot.root).batteries[0]) == [
        ("images_changed", "001/ct/0.png, 001/ct/1.png"),
        ("images_gone", "001/ct/2.png"),
        ("images_added", "001/ct/9.png"),
    ]


def test_a_digest_decides_on_a_file_that_was_copied_and_on_one_whose_time_was_set_back(lot):
    result = taken_up(lot, digests=True)
    copied, altered = (lot.root / "001" / "ct" / f"{n}.png" for n in (0, 1))
    os.utime(copied, ns=(1, 1))
    before = altered.stat()
    altered.write_bytes(b"picturE")
    os.utime(altered, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert changed(result, lot) == []
    assert changed(result, lot, digests=True) == [("images_changed", "001/ct/1.png")]


def test_a_name_that_is_no_text_finds_its_file(tmp_path):
    folder = tmp_path / "lot" / "001" / "ct"
    folder.mkdir(parents=True)
    name = os.fsencode(folder) + "/슬라이스_001.png".encode("cp949")
    with open(name, "wb") as file:  # noqa: PTH123 - the name is bytes
        file.write(b"picture")
    lot = scan_lot(tmp_path / "lot")
    assert changed(taken_up(lot), lot) == []


def test_a_session_from_before_there_were_prints_says_nothing(lot):
    result = taken_up(lot).model_copy(update={"prints": []})
    assert changed(result, lot, battery=lot.batteries[0]) == []
