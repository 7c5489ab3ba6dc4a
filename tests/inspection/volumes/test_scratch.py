"""What is laid out in the scratch folder is announced, bounded and removed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
from builders.volume_files import smooth_body, write_hollow

from inspection.records import VolumeRef
from inspection.volumes import columns, scratch, stack
from inspection.volumes.opening import close_volumes, open_volume
from inspection.volumes.stopping import ReadingStopped, read_until, until

BODY = smooth_body((70, 40, 50))


@pytest.fixture
def told(tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(columns, "PASSES", 0)
    monkeypatch.setattr(scratch, "_room", scratch._Room())
    messages: list[str] = []
    scratch.configure(tmp_path, announce=lambda message: messages.append(message.code))
    yield messages
    close_volumes()
    scratch.remove_all()


def files_in(folder):
    return [path for path in folder.rglob("*.columns") if path.is_file()]


def volume_in(folder, name="a.tif"):
    tifffile.imwrite(folder / name, BODY, photometric="minisblack")
    return open_volume(VolumeRef(folder / name))


def test_planes_along_z_are_laid_out_once_announced_and_removed(tmp_path, told):
    volume = volume_in(tmp_path)
    for number in (0, 15, 16, 49):
        np.testing.assert_array_equal(volume.section("x", number), BODY[:, :, number])
    assert told == ["volume_scratch"]
    assert len(files_in(tmp_path)) == 1
    close_volumes()
    assert files_in(tmp_path) == []


def test_planes_across_y_that_are_not_packed_need_no_room(tmp_path, told):
    volume = volume_in(tmp_path)
    for number in (*range(40), 5, 30, 29):
        np.testing.assert_array_equal(volume.section("y", number), BODY[:, number])
    assert told == []


def test_without_room_planes_are_read_all_the_same(tmp_path, told):
    scratch.configure(tmp_path, most_bytes=1000)
    volume = volume_in(tmp_path)
    np.testing.assert_array_equal(volume.section("x", 33), BODY[:, :, 33])
    assert told == ["volume_scratch_full"] or set(told) == {"volume_scratch_full"}
    assert files_in(tmp_path) == []


def test_a_volume_that_others_push_out_gives_its_room_back_and_stays_good(tmp_path, told):
    first = volume_in(tmp_path)
    first.section("x", 0)
    for name in ("b.tif", "c.tif", "d.tif"):
        volume_in(tmp_path, name)
    assert files_in(tmp_path) == []
    np.testing.assert_array_equal(first.section("x", 20), BODY[:, :, 20])


def test_laying_out_ends_when_nobody_waits_for_it_any_more(tmp_path, told):
    volume = open_volume(VolumeRef(write_hollow(tmp_path / "large.mhd")))
    stop = threading.Event()
    scratch.configure(tmp_path, announce=lambda message: stop.set())
    with pytest.raises(ReadingStopped), until(stop.is_set):
        volume.section("x", 0)
    assert files_in(tmp_path) == []


def test_who_waits_for_what_another_lays_out_need_not_wait_for_its_end(tmp_path, told):
    volume = open_volume(VolumeRef(write_hollow(tmp_path / "large.mhd")))
    begun, stop = threading.Event(), threading.Event()
    scratch.configure(tmp_path, announce=lambda message: begun.set())
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(read_until, stop.is_set, lambda: volume.section("x", 0))
        assert begun.wait(60)
        with pytest.raises(ReadingStopped), until(lambda: True):
            volume.section("x", 1)
        assert not other.done()
        stop.set()
        with pytest.raises(ReadingStopped):
            other.result(60)
    assert files_in(tmp_path) == []


def test_what_was_stopped_is_laid_out_when_it_is_wanted_again(tmp_path, told):
    volume = volume_in(tmp_path)
    with pytest.raises(ReadingStopped), until(lambda: True):
        volume.section("x", 0)
    np.testing.assert_array_equal(volume.section("x", 7), BODY[:, :, 7])
    assert len(files_in(tmp_path)) == 1


def test_nothing_is_laid_out_or_removed_where_a_link_leads_elsewhere(tmp_path, told):
    volume_in(tmp_path).section("x", 0)
    (laid_out,) = files_in(tmp_path)
    mine = laid_out.parent.parent
    scratch.remove_all()
    mine.rmdir()
    kept = tmp_path / "elsewhere" / ("0" * 32)
    kept.mkdir(parents=True)
    mine.symlink_to(kept.parent, target_is_directory=True)
    volume = volume_in(tmp_path, "b.tif")
    np.testing.assert_array_equal(volume.section("x", 33), BODY[:, :, 33])
    assert [path.name for path in kept.parent.rglob("*")] == [kept.name]


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path, told):
    volume_in(tmp_path).section("x", 0)
    (laid_out,) = files_in(tmp_path)
    left = laid_out.parent.with_name("0123456789abcdef" * 2)
    other = laid_out.parent.with_name("somebody's")
    for folder in (left, other):
        folder.mkdir()
        (folder / "old.columns").write_bytes(bytes(9))
    scratch.remove_all()
    volume_in(tmp_path, "b.tif").section("x", 0)
    assert not left.exists()
    assert other.exists()
