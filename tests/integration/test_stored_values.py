"""What must not change a verdict: how a stack was stored, and labels that lie beside it."""

import threading

import cv2
import numpy as np
import pytest

from inspection.config import find_policy
from inspection.images.stack_grey import GreyPolicy, StackWindows
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import reference_levels
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.synthetic import SyntheticLot, write_lot
from inspection.synthetic.ct import Defect, build_structure, render_slice
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings

STORED = {
    "8 bits": lambda grey: grey.astype(np.uint8),
    "12 bits": lambda grey: (grey * 16.0).astype(np.uint16),
    "13 bits": lambda grey: (grey * 32.0).astype(np.uint16),
    "14 bits": lambda grey: (grey * 64.0).astype(np.uint16),
    "16 bits": lambda grey: (grey * 257.0).astype(np.uint16),
    "offset": lambda grey: (12_000 + grey * 78.0).astype(np.uint16),
    "float": lambda grey: grey * np.float32(0.0031) - np.float32(0.2),
}
SLICES = 8
CANVAS = 512
PORE = Defect("porosity", "z", 2, 6, "clear", 4)


@pytest.fixture(scope="module")
def models():
    return ModelFolders((resource_path("models"),))


@pytest.fixture(scope="module")
def judge(models, tmp_path_factory):
    """Return a function from the one battery of a lot to what the lane says of it."""
    policy = find_policy(models.with_policy).inspector
    chooser = ImageChooser(policy.sampling, tmp_path_factory.getbasetemp(), with_ensemble=True)
    lane = EnsembleLane(LaneSettings(models, tmp_path_factory.getbasetemp(), policy, chooser))
    lane.load()

    def judge(lot):
        (battery,) = scan_lot(lot).batteries
        greys = StackWindows(GreyPolicy(policy.grey_window, reference_levels(models)))
        lane.settings = LaneSettings(models, lot, policy, chooser, greys=greys)
        result = lane.inspect(battery, threading.Event(), lambda _event: None)
        assert {image.error for image in result.images} == {None}
        return result

    yield judge
    lane.close()


@pytest.fixture
def judge_stored(judge, tmp_path_factory):
    """Return a function from drawn slices and a way to store them to what the lane says."""

    def judge_stored(slices, how):
        lot = tmp_path_factory.mktemp("lot")
        folder = lot / "B1" / "ct"
        folder.mkdir(parents=True)
        for number, grey in enumerate(slices):
            coded = cv2.imencode(".tif", STORED[how](grey))[1]
            (folder / f"s_{number:03d}.tif").write_bytes(coded.tobytes())
        return judge(lot)

    return judge_stored


def drawn(seed, strength):
    """Slices of one cell, (512, 512) float32, with a pore of that strength through five of them."""
    structure = build_structure("cell", "z", CANVAS, np.random.default_rng([seed]))
    slices = []
    for number in range(SLICES):
        passing = [PORE] if PORE.first <= number <= PORE.last else []
        sound, pored = (
            render_slice(structure, number, those, np.random.default_rng([seed, number]), CANVAS)
            for those in ([], passing)
        )
        mixed = sound[0] + strength * (pored[0].astype(np.float32) - sound[0])
        # Whole greys: the same picture can then be stored in 8 bits as in 16.
        slices.append(np.rint(mixed).astype(np.float32))
    return slices


@pytest.mark.parametrize("seed", [3, 8])
def test_near_the_threshold_a_verdict_does_not_depend_on_the_storage(judge_stored, seed):
    low, high = 0.0, 1.0
    for _ in range(5):
        strength = (low + high) / 2
        score = judge_stored(drawn(seed, strength), "8 bits").verdict.cnn_prob
        low, high = (strength, high) if score < 0.5 else (low, strength)
    slices = drawn(seed, strength)
    first, *others = (judge_stored(slices, how) for how in STORED)
    for other in others:
        assert (other.verdict.kind, other.verdict.ct_state) == (
            first.verdict.kind,
            first.verdict.ct_state,
        )
        for one, two in zip(first.images, other.images, strict=True):
            assert two.pred_score == pytest.approx(one.pred_score, abs=0.02)


@pytest.mark.parametrize("how", STORED)
def test_a_pore_is_found_however_the_stack_was_stored(judge_stored, how):
    result = judge_stored(drawn(3, 1.0), how)
    assert result.verdict.ct_state == "defect"
    assert result.runs[0].defect_type == "cell_porosity"
    assert (result.grey.method, result.grey.problem) == ("auto", None)


def test_labels_beside_the_pictures_change_nothing(judge, tmp_path):
    spec = SyntheticLot(batteries=1, slices=12, views=1, canvas=512, seed=6, defects=1.0)
    lot = write_lot(tmp_path / "lot", spec, workers=1)
    labelled = judge(lot)
    labels = list(lot.rglob("CT_*.json"))
    for label in labels:
        label.unlink()
    alone = judge(lot)
    assert len(labels) == 12
    assert alone.verdict == labelled.verdict
    said = [[(i.pred_score, i.roi) for i in result.images] for result in (labelled, alone)]
    assert said[0] == said[1]
