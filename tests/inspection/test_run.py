"""A headless run answers for every battery, whatever happens to a system."""

import threading

import pytest

from inspection.choice import ImageChooser
from inspection.config import load_inspector
from inspection.lanes import LaneSettings, UninstalledLane
from inspection.model_folders import ModelFolders
from inspection.records import Battery, Lot
from inspection.run import inspect_batteries
from inspection.session import SessionStore


class UnloadableLane(UninstalledLane):
    def load(self):
        raise RuntimeError("CUDA driver version is insufficient")


@pytest.fixture
def lot(tmp_path):
    return Lot(tmp_path, tuple(Battery(f"{n:03d}", None, None) for n in range(3)))


def test_a_library_that_fails_on_loading_fails_every_battery_with_its_reason(lot, tmp_path):
    with SessionStore.create(
        tmp_path / "sessions", lot=lot, operator="", station="", language="en",
        config={}, device="cpu", models=[], version="1",
    ) as store:  # fmt: skip
        told = []
        policy = load_inspector()
        chooser = ImageChooser(policy.sampling, lot.root, ensemble_speaks=True)
        settings = LaneSettings(ModelFolders((tmp_path,)), lot.root, policy, chooser)
        inspect_batteries(
            lot.batteries, [UnloadableLane("ensemble", settings)], store, "cpu",
            cancel=threading.Event(), on_battery=told.append,
        )  # fmt: skip
        assert [result.state for result in told] == ["failed"] * 3
        assert {row.kind for row in store.record.batteries} == {"not_inspected"}
        assert all("CUDA driver" in row.reasons[0] for row in store.record.batteries)
        assert store.remaining(lot) == ["000", "001", "002"]
