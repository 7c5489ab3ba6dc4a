"""A run answers for every battery, whatever happens to a system."""

import threading
from dataclasses import replace

import pytest
from builders.uninstalled_lane import UninstalledLane

from inspection.config import load_inspector
from inspection.modelstore.folders import ModelFolders
from inspection.predictions import LaneResult
from inspection.records import Battery, Lot
from inspection.results import ChosenImages, ModelProvenance, VlgResult, VlmResult
from inspection.run.assemble import LaneResults, assemble
from inspection.run.driver import inspect_into
from inspection.run.events import BatteryChanged
from inspection.run.plan import Plan
from inspection.session.creating import create_session
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings, inspect_safely


class UnloadableLane(UninstalledLane):
    def load(self):
        raise RuntimeError("CUDA driver version is insufficient")


class SpeakingLane(UninstalledLane):
    """Says of every battery that a system is done, and remembers whom it was asked about."""

    def load(self):
        return []

    def inspect(self, battery, cancel, on_event):
        self.asked = [*getattr(self, "asked", ()), battery.battery_id]
        chosen = self.settings.chooser.choose(battery, cancel)
        vlm = VlmResult(prediction="defect", explanation="크랙")
        return LaneResult(self.name, "done", seconds=2.0, chosen=chosen, vlm=vlm)


class BrokenLane(UninstalledLane):
    def inspect(self, battery, cancel, on_event):
        raise RuntimeError("the driver is gone")


@pytest.fixture
def lot(tmp_path):
    return Lot(tmp_path, tuple(Battery(f"{n:03d}", None, None) for n in range(3)))


@pytest.fixture
def store(lot, tmp_path):
    with create_session(
        tmp_path / "sessions", lot=lot, operator="", station="", language="en",
        config={}, device="cpu", models=[], version="1",
    ) as made:  # fmt: skip
        yield made


@pytest.fixture
def settings(lot):
    policy = load_inspector()
    chooser = ImageChooser(policy.sampling, lot.root, with_ensemble=False)
    return LaneSettings(ModelFolders((lot.root,)), lot.root, policy, chooser, device="cpu")


@pytest.fixture
def inspected(lot, store, settings):
    """Inspect the lot with some lanes; return what was told of whole batteries."""

    def inspect(*lanes, batteries=None, earlier=None, on_event=lambda event: None):
        by_name = {lane.name: lane for lane in lanes}
        for said in (earlier or {}).items():
            said[1].choose_again(settings.chooser, said[0])
        told = []

        def take(event):
            on_event(event)
            if isinstance(event, BatteryChanged) and event.finished:
                told.append(event.result)

        inspect_into(
            store,
            lot,
            Plan(batteries or lot.batteries, tuple(by_name), settings, earlier or {}),
            lambda system, _settings: by_name[system],
            cancel=threading.Event(),
            on_event=take,
        )
        return told

    return inspect


def earlier(*results):
    kept = LaneResults()
    for result in results:
        kept.add(result)
    return kept


def test_a_library_that_fails_on_loading_fails_every_battery_with_its_reason(
    lot, store, settings, inspected
):
    told = inspected(UnloadableLane("ensemble", settings))
    assert [result.state for result in told] == ["failed"] * 3
    assert {row.kind for row in store.record.batteries} == {"not_inspected"}
    assert all("CUDA driver" in row.reasons[0] for row in store.record.batteries)
    assert store.remaining(lot) == ["000", "001", "002"]
    assert store.record.status == "failed"


def test_what_only_a_system_switched_off_had_left_is_done(lot, store, settings, inspected):
    word = LaneResult("vlm", "done", vlm=VlmResult(prediction="normal", explanation=""))
    vlm = SpeakingLane("vlm", settings)
    told = inspected(vlm, earlier={b.battery_id: earlier(word) for b in lot.batteries})
    assert [result.state for result in told] == ["done"] * 3
    assert store.remaining(lot) == []
    assert store.record.status == "completed"
    assert not hasattr(vlm, "asked")


def test_a_system_that_is_added_later_leaves_the_others_words_and_sees_the_same_images(
    lot, store, settings, inspected
):
    chosen = ChosenImages(method="sample", seed=5, images=[])
    word = LaneResult("vlg", "done", seconds=1.0, vlg=VlgResult(), chosen=chosen)
    first = [assemble(battery, {"vlg": word}) for battery in lot.batteries[:2]]
    before = {result.battery_id: LaneResults.of(result) for result in first}
    before["001"].add(LaneResult("vlm", "done", vlm=VlmResult(prediction="normal", explanation="")))
    vlm, vlg = SpeakingLane("vlm", settings), UninstalledLane("vlg", settings)
    inspected(vlm, vlg, earlier=before)
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


def test_nobody_waits_for_an_ensemble_that_failed_on_a_battery(lot, settings):
    sampling = settings.inspector.sampling.model_copy(update={"wait_seconds": 3600.0})
    chooser = ImageChooser(sampling, lot.root, with_ensemble=True)
    settings = replace(settings, chooser=chooser)
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


def test_the_models_of_one_battery_are_recorded(lot, store, settings, inspected):
    model = ModelProvenance(slot="vlm", name="speaks", sha256="1" * 64)

    class LoadedLane(SpeakingLane):
        def load(self):
            return [model]

    seen = []

    def on_event(event):
        if isinstance(event, BatteryChanged):
            seen.append(store.record.models)

    inspected(LoadedLane("vlm", settings), batteries=lot.batteries[:1], on_event=on_event)
    assert seen == [[model]]


def test_a_missing_system_rewrites_nothing_that_waits_for_another(lot, store, settings, inspected):
    """Its word comes for the whole lot at once, long before a slow system's."""
    word = LaneResult("vlg", "done", vlg=VlgResult())
    saved, missing, all_told = [], [], threading.Event()

    class SlowLane(SpeakingLane):
        def inspect(self, battery, cancel, on_event):
            assert all_told.wait(timeout=30)
            return super().inspect(battery, cancel, on_event)

    def on_event(event):
        if not isinstance(event, BatteryChanged):
            return
        if event.worth_saving:
            saved.append((event.system, event.result.systems))
        if event.system == "ensemble":
            missing.append(event.result.battery_id)
            if len(missing) == len(lot.batteries):
                all_told.set()

    lanes = UninstalledLane("ensemble", settings), SlowLane("vlm", settings)
    inspected(*lanes, earlier={b.battery_id: earlier(word) for b in lot.batteries},
              on_event=on_event)  # fmt: skip
    assert [system for system, _ in saved] == ["vlm"] * 3
    assert saved[0][1] == {"ensemble": "not_installed", "vlm": "done", "vlg": "done"}
