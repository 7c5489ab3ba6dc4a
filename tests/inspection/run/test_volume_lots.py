"""A run over volumes is stopped and gone on with; files are replaced, or have gone, in between."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from builders.reading_lane import ReadingLane
from builders.small_models import write_small_models

from inspection.config import Policy, load_inspector
from inspection.lot.scan import scan_lot
from inspection.modelstore.folders import ModelFolders
from inspection.records import ImageRef, Section, VolumeRef
from inspection.run.driver import inspect_into
from inspection.run.lot_access import can_be_opened
from inspection.run.plan import Conditions, plan_rest
from inspection.run.status import RunStatus
from inspection.session.creating import create_session
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.volumes.config import VolumesConfig
from inspection.volumes.opening import close_volumes

SPEC = SyntheticLot(
    batteries=2, views=1, canvas=128, seed=8, defects=0.5, form="tiff-stack", bits="8"
)
RECIPE = VolumesConfig(step=16)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_lot(tmp_path_factory.mktemp("lots") / "lot", SPEC, workers=1)


@pytest.fixture(scope="module")
def conditions(tmp_path_factory):
    models = write_small_models(tmp_path_factory.mktemp("models"))
    policy = Policy(load_inspector(), models / "inspector.yaml")
    return Conditions(ModelFolders((models,)), ("ensemble",), policy, "cpu")


@pytest.fixture
def lot(made, tmp_path):
    return scanned(shutil.copytree(made, tmp_path / "lot"))


@pytest.fixture
def store(lot, tmp_path):
    with session(lot, tmp_path / "sessions") as store:
        yield store


def scanned(root: Path):
    return scan_lot(root, recipe=RECIPE)


def session(lot, folder):
    return create_session(folder, lot=lot, language="en", config={}, device="cpu")


class StoppedLane(EnsembleLane):
    """Is cancelled while it is at the third image of the second battery."""

    def inspect(self, battery, cancel, on_event, *more):
        images = []

        def take(event):
            images.append(event)
            if battery.battery_id == "002" and len(images) == 3:
                cancel.set()
            on_event(event)

        return super().inspect(battery, cancel, take, *more)


def inspect(store, lot, conditions, build=EnsembleLane):
    """Inspect what is left and return what was told before."""
    plan = plan_rest(store, lot, conditions)
    stopped = inspect_into(
        store, lot, plan, lambda _, settings: build(settings),
        cancel=threading.Event(), on_event=lambda event: None,
    )  # fmt: skip
    assert stopped is (build is StoppedLane)
    return [message.code for message in plan.told]


def said(store):
    """Return all that was said of each battery, but when and how long it took."""
    timed = {
        "seconds": True,
        "system_seconds": True,
        "prints": True,
        "ensemble": {"seconds"},
        "images": {"__all__": {"seconds"}},
    }
    results = [store.load_battery(row.battery_id) for row in store.record.batteries]
    return [r.model_dump(mode="json", exclude=timed) for r in results if r is not None]


def states(store):
    return [row.state for row in store.record.batteries]


def test_a_run_that_was_stopped_ends_as_one_that_was_not(made, lot, store, conditions, tmp_path):
    inspect(store, lot, conditions, StoppedLane)
    assert states(store) == ["done", "queued"]
    close_volumes()
    assert inspect(store, scanned(lot.root), conditions) == []
    with session(lot, tmp_path / "whole") as whole:
        inspect(whole, lot, conditions)
        assert said(store) == said(whole)
    assert store.record.status == "completed"


def test_of_a_replaced_volume_the_new_planes_are_judged(lot, store, conditions):
    first, second = (lot.root / name / "ct" / "volume.tif" for name in ("001", "002"))
    inspect(store, lot, conditions, StoppedLane)
    shutil.copy(first, second)
    lot = scanned(lot.root)
    assert inspect(store, lot, conditions) == []
    one, two = (store.load_battery(name) for name in ("001", "002"))
    assert [i.pred_score for i in one.images if "ct/" in i.image] == [
        i.pred_score for i in two.images if "ct/" in i.image
    ]


def test_a_run_is_as_far_as_the_planes_that_are_judged_tell(lot, store, conditions):
    plan, status = plan_rest(store, lot, conditions), RunStatus()
    status.begin(plan)
    inspect_into(
        store,
        lot,
        plan,
        lambda _, settings: EnsembleLane(settings),
        cancel=threading.Event(),
        on_event=status.take,
    )
    judged = sum(len(store.load_battery(battery.battery_id).images) for battery in lot.batteries)
    # Planes of air beside the body are no images that anybody waits for.
    assert judged < sum(len(battery.ct) + len(battery.rgb) for battery in lot.batteries)
    assert (status.progress.images, status.progress.total_images) == (judged, judged)
    assert status.progress.share == 1.0


def test_a_volume_that_was_replaced_after_its_battery_was_done_is_named(lot, store, conditions):
    inspect(store, lot, conditions)
    before = said(store)
    shutil.copy(lot.root / "002/ct/volume.tif", lot.root / "001/ct/volume.tif")
    plan = plan_rest(store, scanned(lot.root), conditions)
    assert [m.code for m in plan.told] == ["images_changed"]
    assert plan.told[0].params["names"] == "001/ct/volume.tif"
    assert plan.batteries == ()
    assert said(store) == before


def test_a_volume_that_has_gone_is_told_and_its_evidence_stays(lot, store, conditions):
    inspect(store, lot, conditions)
    before = said(store)
    pictures = {p: p.read_bytes() for p in store.evidence_dir.rglob("*") if p.is_file()}
    assert pictures
    (lot.root / "001/ct/volume.tif").unlink()
    told = plan_rest(store, scanned(lot.root), conditions).told
    assert {message.code for message in told} >= {"images_gone"}
    assert told[0].params["names"] == "001/ct/volume.tif"
    inspect(store, scanned(lot.root), conditions)
    assert said(store) == before
    assert all(path.read_bytes() == content for path, content in pictures.items())


def test_a_volume_that_goes_away_during_a_run_is_judged_once_it_is_back(lot, store, conditions):
    volume = lot.root / "002/ct/volume.tif"
    away, seen = volume.with_name("volume.away"), []

    def before(ref):
        seen.append(ref)
        if (
            ref.battery_id == "002"
            and not away.exists()
            and len(seen) < 2 * len(lot.batteries[0].ct)
        ):
            volume.rename(away)
        elif away.exists() and ref.modality == "rgb":
            away.rename(volume)

    inspect(store, lot, conditions, lambda settings: ReadingLane(settings, before))
    assert seen
    assert states(store) == ["done", "done"]
    assert store.record.batteries[1].kind == "normal"


def plane(path: Path, series: str = "") -> ImageRef:
    volume = VolumeRef(path, series)
    return ImageRef(path, "ct", "1", "z", 3, None, None, None, Section(volume, "z", 3))


def test_planes_can_be_opened_where_their_file_or_folder_is_there(made, tmp_path):
    stack = made / "001" / "ct" / "volume.tif"
    assert can_be_opened([plane(stack)])
    assert can_be_opened([plane(stack.parent, "1")])
    gone = [plane(tmp_path / "gone.tif"), plane(tmp_path / "gone", "1")]
    assert not can_be_opened(gone)
    assert can_be_opened([*gone, plane(stack)])
