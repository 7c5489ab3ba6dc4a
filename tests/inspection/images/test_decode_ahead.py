"""Images are decoded ahead of the models, in order, across batteries, and never too many."""

import threading

import pytest
from builders.volume_files import write_hollow

from inspection.images.decode_ahead import DecodeAhead, Decoded, Wanted
from inspection.images.preprocess import Preprocess
from inspection.lot.scan import scan_lot
from inspection.predictions import FailedPrediction
from inspection.records import ImageRef, Section, VolumeRef
from inspection.synthetic import SyntheticLot, write_lot
from inspection.volumes import columns, scratch, stack
from inspection.volumes.opening import close_volumes
from inspection.volumes.stopping import ReadingStopped

SPEC = Preprocess(modality="ct", width=24, height=48, channels=1, mean=(0.5,), std=(0.5,))


@pytest.fixture(scope="module")
def batteries(tmp_path_factory):
    spec = SyntheticLot(batteries=2, slices=12, views=1, canvas=160, seed=3, defects=0.0)
    lot = scan_lot(write_lot(tmp_path_factory.mktemp("lots") / "lot", spec))
    first, second = ([Wanted(ref, SPEC) for ref in battery.ct] for battery in lot.batteries)
    return first, second


@pytest.fixture
def decoding():
    made = DecodeAhead(threads=2, ahead=4)
    yield made
    made.close()


def names(items):
    return [item.image for item in items]


def test_images_come_in_order_however_many_threads_decode(batteries, decoding):
    first, _ = batteries
    items = list(decoding.images(first))
    assert names(items) == [item.image for item in first]
    assert all(isinstance(item, Decoded) for item in items)
    assert items[0].input.array.shape == (1, 48, 24)


def test_one_that_cannot_be_read_stops_no_other(batteries, decoding, tmp_path):
    first, _ = batteries
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    bad = first[0][0]._replace(path=broken)
    gone = first[0][0]._replace(path=tmp_path / "gone.jpg")
    items = list(decoding.images([first[0], Wanted(bad, SPEC), Wanted(gone, SPEC), first[1]]))
    assert names(items) == [first[0][0], bad, gone, first[1][0]]
    assert [isinstance(item, FailedPrediction) for item in items] == [False, True, True, False]


def test_no_more_are_begun_than_allowed(batteries, decoding):
    first, second = batteries
    begun = []
    for _ in decoding.images(first, second):
        begun.append(len(decoding._begun))
    assert max(begun) <= 4


def test_the_next_battery_is_begun_before_it_is_asked_for(batteries, decoding):
    first, second = batteries
    list(decoding.images(first, second))
    ahead = set(decoding._begun)
    assert ahead
    assert ahead <= {item.image.path for item in second}
    assert names(decoding.images(second)) == [item.image for item in second]


def test_what_is_never_asked_for_makes_room(batteries, decoding):
    first, second = batteries
    list(decoding.images(first, second))
    # Another battery comes than was expected.
    assert names(decoding.images(first)) == [item.image for item in first]
    assert not decoding._begun


def test_a_cancelled_battery_leaves_nothing_behind(batteries, decoding):
    first, second = batteries
    next(decoding.images(first, second))
    decoding.forget()
    assert not decoding._begun
    assert names(decoding.images(second)) == [item.image for item in second]


@pytest.fixture
def planes(tmp_path, monkeypatch):
    """Planes that a volume has to be laid out for, and an event that is set when that begins."""
    monkeypatch.setattr(stack, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(columns, "PASSES", 0)
    monkeypatch.setattr(scratch, "_room", scratch._Room())
    begun = threading.Event()
    scratch.configure(tmp_path, announce=lambda message: begun.set())
    header = write_hollow(tmp_path / "large.mhd", 400)
    ref = VolumeRef(header)
    sections = [Section(ref, "x", number) for number in range(4)]
    refs = [ImageRef(header, "ct", "1", "x", s.number, None, None, None, s) for s in sections]
    yield [Wanted(ref, SPEC) for ref in refs], begun
    close_volumes()
    scratch.remove_all()


def test_a_cancel_does_not_wait_until_a_volume_is_laid_out(planes, decoding):
    wanted, cancel = planes
    assert not list(decoding.images(wanted, cancel=cancel))


def test_what_a_cancelled_run_had_begun_is_not_missing_in_the_next(planes, batteries, decoding):
    wanted, cancel = planes
    list(decoding.images(batteries[0][:1], wanted[:1], cancel))
    (begun,) = decoding._begun.values()
    assert isinstance(begun.exception(60), ReadingStopped)
    assert names(decoding.images(wanted)) == [item.image for item in wanted]
