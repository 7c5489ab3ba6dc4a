"""What is out of place never reads as normal, with the bundled models as they are shipped."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspection.agreement.cells import image_cell
from inspection.config import GateConfig, find_policy
from inspection.images.stack_grey import GreyPolicy, StackWindows
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import reference_levels
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.predictions import LaneResult
from inspection.records import Battery
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings

MODELS = resource_path("models")
SLICES = 6


@pytest.fixture(scope="module")
def lot(tmp_path_factory) -> Path:
    """A battery as it should be, and others whose slices are no battery's."""
    root = tmp_path_factory.mktemp("gate")
    spec = SyntheticLot(batteries=1, slices=18, views=2, seed=3, defects=0.0)
    (battery,) = scan_lot(write_lot(root / "made", spec)).batteries
    stack = [ref.path for ref in battery.ct if ref.axis == "z"][:SLICES]
    rng = np.random.default_rng(1)
    shade = np.linspace(90, 110, 512)[None].repeat(512, 0).astype(np.uint8)
    odd = {
        "noise": [rng.integers(0, 256, (512, 512), np.uint8) for _ in range(SLICES)],
        "shade": [shade + n for n in range(SLICES)],
    }
    for name in ("usual", "frozen", *odd):
        for ref in battery.rgb:
            place = root / "lot" / name / "rgb"
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(ref.path, place)
        ct = root / "lot" / name / "ct"
        ct.mkdir()
        for number, path in enumerate(stack):
            if name in odd:
                (ct / f"z_{number}.png").write_bytes(cv2.imencode(".png", odd[name][number])[1])
            else:
                shutil.copy(stack[0] if name == "frozen" else path, ct / f"z_{number}.jpg")
    return root / "lot"


@pytest.fixture(scope="module")
def results(lot: Path) -> dict[str, LaneResult]:
    return judged(lot, GateConfig())


def judged(root: Path, gate: GateConfig, only: str = "") -> dict[str, LaneResult]:
    folders, policy = ModelFolders((MODELS,)), find_policy(MODELS).inspector
    settings = LaneSettings(
        folders,
        root,
        policy,
        ImageChooser(policy.sampling, root, with_ensemble=True),
        greys=StackWindows(GreyPolicy("auto", reference_levels(folders))),
        gate=gate,
    )
    lane = EnsembleLane(settings)
    lane.load()
    try:
        return {
            battery.battery_id: lane.inspect(battery, threading.Event(), lambda _event: None)
            for battery in wanted(root, only)
        }
    finally:
        lane.close()


def wanted(root: Path, only: str) -> list[Battery]:
    return [b for b in scan_lot(root).batteries if only in ("", b.battery_id)]


def test_a_battery_as_it_should_be_passes(results):
    result = results["usual"]
    assert result.verdict.kind == "normal", result.verdict.reasons
    assert not any(image.gate for image in result.images)


@pytest.mark.parametrize("name", ["noise", "shade", "frozen"])
def test_what_is_out_of_place_is_left_to_the_operator_and_says_why(results, name):
    result = results[name]
    assert (result.state, result.verdict.kind) == ("done", "review")
    said = [reason.code for reason in result.verdict.reasons]
    assert any(code.startswith("gate_") for code in said), said


def test_nothing_of_a_stopped_image_reads_as_normal(results):
    stopped = [image for image in results["noise"].images if image.gate]
    assert len(stopped) == SLICES
    for image in stopped:
        assert image.pred_label is image.pred_score is image.is_anomaly is None
        cell = image_cell("ensemble", image)
        assert (cell.judgement, cell.reason) == (None, image.gate[0])


def test_slices_that_repeat_are_told_by_name(results):
    (said,) = [m for m in results["frozen"].gate if m.code != "gate_strange_ct"]
    assert said.code == "gate_identical_ct"
    assert said.params["count"] == SLICES - 1


def test_a_gate_that_is_switched_off_lets_everything_through(lot):
    (result,) = judged(lot, GateConfig.off(), "frozen").values()
    assert result.verdict.kind == "normal"
