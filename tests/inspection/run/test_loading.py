"""Lanes load one at a time, the ensemble first, and none once the run is cancelled."""

import threading

import pytest
from builders.uninstalled_lane import UninstalledLane

from inspection.errors import ModelMissingError
from inspection.run.loading import LoadingOrder


class WatchedLane(UninstalledLane):
    """Says when its loading begins and ends."""

    def __init__(self, name, told, release=None):
        super().__init__(name, None)
        self.told, self.release = told, release

    def load(self):
        self.told.append(("begins", self.name))
        if self.release is not None:
            assert self.release.wait(10)
        self.told.append(("ends", self.name))
        return []


@pytest.fixture
def told():
    return []


def begun(order, lane, cancel):
    thread = threading.Thread(target=order.load, args=(lane, cancel))
    thread.start()
    return thread


def test_the_ensemble_loads_first_and_never_two_at_once(told):
    order, cancel, release = (
        LoadingOrder(["ensemble", "vlm", "vlg"]),
        threading.Event(),
        threading.Event(),
    )
    threads = [begun(order, WatchedLane(name, told), cancel) for name in ("vlm", "vlg")]
    threads.append(begun(order, WatchedLane("ensemble", told, release), cancel))
    release.set()
    for thread in threads:
        thread.join()
    assert told[:2] == [("begins", "ensemble"), ("ends", "ensemble")]
    assert [what for what, _ in told] == ["begins", "ends"] * 3


@pytest.mark.parametrize("systems", [["vlm"], ["ensemble", "vlm"]])
def test_nothing_waits_for_an_ensemble_that_does_not_load(told, systems):
    order = LoadingOrder(systems)
    if "ensemble" in systems:
        order.let_others_load()
    assert order.load(WatchedLane("vlm", told), threading.Event()) == []


def test_an_ensemble_that_cannot_be_loaded_holds_nobody_up(told):
    order, cancel = LoadingOrder(["ensemble", "vlm"]), threading.Event()
    lane = UninstalledLane("ensemble", None)
    with pytest.raises(ModelMissingError):
        order.load(lane, cancel)
    assert order.load(WatchedLane("vlm", told), cancel) == []


def test_a_cancelled_run_loads_nothing(told):
    order, cancel = LoadingOrder(["ensemble", "vlm"]), threading.Event()
    cancel.set()
    assert order.load(WatchedLane("vlm", told), cancel) is None
    assert order.load(WatchedLane("ensemble", told), cancel) is None
    assert told == []
