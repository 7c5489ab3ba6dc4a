"""A headless run answers for every battery, whatever happens to a system."""

import threading

import pytest
from builders.uninstalled_lane import UninstalledLane

from inspection.config import load_inspector
from inspection.modelstore.folders import ModelFolders
from inspection.predictions import LaneResult
from inspection.records import Battery, Lot
from inspection.results import ChosenImages, ModelProvenance, VlgResult, VlmResult
from inspection.run.assemble import assemble, said_before
from inspection.run.driver import inspect_batteries
from inspection.session.store import SessionStore
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings, inspect_safely


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
        chooser = ImageChooser(policy.sampling, lot.root, with_ensemble=True)
        settings = LaneSettings(ModelFolders((tmp_path,)), lot.root, policy, chooser)
        inspect_batteries(
            lot.batteries, [UnloadableLane("ensemble", settings)], store, "cpu",
            cancel=threading.Event(), on_battery=told.append,
        )  # fmt: skip
        assert [result.state for result in told] == ["failed"] * 3
        assert {row.kind for row in store.record.batteries} == {"not_inspected"}
        assert all("CUDA driver" in row.reasons[0] for row in store.record.batteries)
        assert store.remaining(lot) == ["000", "001", "002"]


class SpeakingLane(UninstalledLane):
    """Says of every battery that a system is done, and remembers whom it was asked about."""

    def load(self):
        return []

    def inspect(self, battery, cancel, on_event):
        self.asked = [*getattr(self, "asked", ()), battery.battery_id]
        chosen = self.settings.chooser.choose(battery, cancel)
        vlm = VlmResult(prediction="defect", explanation="크랙")
        return LaneResult(self.name, "done", seconds=2.0, chosen=chosen, vlm=vlm)


def test_what_only_a_system_switched_off_had_left_is_done(lot, tmp_path):
    policy = load_inspector()
    chooser = ImageChooser(policy.sampling, lot.root, with_ensemble=False)
    settings = LaneSettings(ModelFolders((tmp_path,)), lot.root, policy, chooser)
    said = {"vlm": LaneResult("vlm", "done", vlm=VlmResult(prediction="normal", explanation=""))}
    vlm = SpeakingLane("vlm", settings)
    with SessionStore.create(
        tmp_path / "sessions", lot=lot, operator="", station="", language="en",
        config={}, device="cpu", models=[], version="1",
    ) as store:  # fmt: skip
        told = []
        inspect_batteries(
            lot.batteries, [vlm], store, "cpu", cancel=threading.Event(), on_battery=told.append,
            before={battery.battery_id: said for battery in lot.batteries},
        )  # fmt: skip
        assert [result.state for result in told] == ["done"] * 3
        assert store.remaining(lot) == []
    assert not hasattr(vlm, "asked")


def test_a_system_that_is_added_later_leaves_the_others_words_and_sees_the_same_images(
    lot, tmp_path
):
    policy = load_inspector()

    def settings():
        chooser = ImageChooser(policy.sampling, lot.root, with_ensemble=False)
        return LaneSettings(ModelFolders((tmp_path,)), lot.root, policy, chooser)

    chosen = ChosenImages(method="sample", seed=5, images=[])
    earlier = LaneResult("vlg", "done", seconds=1.0, vlg=VlgResult(), chosen=chosen)
    first = [assemble(battery, {"vlg": earlier}) for battery in lot.batteries[:2]]
    before = {result.battery_id: said_before(result) for result in first}
    before["001"]["vlm"] = LaneResult("vlm", "done", vlm=VlmResult(
        prediction="normal", explanation="")
    )  # fmt: skip
    vlm, vlg = SpeakingLane("vlm", settings()), UninstalledLane("vlg", settings())
    with SessionStore.create(
        tmp_path / "sessions", lot=lot, operator="", station="", language="en",
        config={}, device="cpu", models=[], version="1",
    ) as store:  # fmt: skip
        inspect_batteries(
            lot.batteries, [vlm, vlg], store, "cpu",
            cancel=threading.Event(), on_battery=lambda result: None, before=before,
        )  # fmt: skip
        both = store.load_battery("000")
        assert both.systems == {"ensemble": "off", "vlm": "done", "vlg": "done"}
        assert both.vlg == VlgResult()
        assert both.chosen == {"vlm": chosen, "vlg": chosen}
        assert both.system_seconds == {"vlm": 2.0, "vlg": 1.0}
        assert store.load_battery("002").systems["vlg"] == "not_installed"
    assert vlm.asked == ["000", "002"]


def test_which_system_spoke_first_does_not_show_in_the_result():
    battery = Battery("000", None, None)
    words = [UninstalledLane(name, None).inspect(battery, None, None) for name in ("vlm", "vlg")]
    orders = [{word.system: word for word in order} for order in (words, words[::-1])]
    first, second = (assemble(battery, order).model_dump_json() for order in orders)
    assert first == second


class BrokenLane(UninstalledLane):
    def inspect(self, battery, cancel, on_event):
        raise RuntimeError("the driver is gone")


def test_nobody_waits_for_an_ensemble_that_failed_on_a_battery(lot, tmp_path):
    policy = load_inspector()
    sampling = policy.sampling.model_copy(update={"wait_seconds": 3600.0})
    chooser = ImageChooser(sampling, lot.root, with_ensemble=True)
    settings = LaneSettings(ModelFolders((tmp_path,)), lot.root, policy, chooser)
    cancel, chosen = threading.Event(), []
    vlm = threading.Thread(target=lambda: chosen.append(chooser.choose(lot.batteries[0], cancel)))
    vlm.start()
    inspect_safely(BrokenLane("ensemble", settings), lot.batteries[0], cancel, lambda event: None)
    vlm.join(timeout=30)
    waits = vlm.is_alive()
    cancel.set()
    vlm.join()
    assert not waits
    assert chosen[0].method == "even"


def test_the_models_of_one_battery_are_recorded(lot, tmp_path):
    policy = load_inspector()
    chooser = ImageChooser(policy.sampling, lot.root, with_ensemble=False)
    settings = LaneSettings(ModelFolders((tmp_path,)), lot.root, policy, chooser)
    model = ModelProvenance(slot="vlm", name="speaks", sha256="1" * 64)

    class LoadedLane(SpeakingLane):
        def load(self):
            return [model]

    with SessionStore.create(
        tmp_path / "sessions", lot=lot, operator="", station="", language="en",
        config={}, device="cpu", models=[], version="1",
    ) as store:  # fmt: skip
        seen = []
        inspect_batteries(
            lot.batteries[:1], [LoadedLane("vlm", settings)], store, "cpu",
            cancel=threading.Event(), on_battery=lambda _: seen.append(store.record.models),
        )  # fmt: skip
    assert seen == [[model]]
