"""A detector is a class and a line in the table; the rest of the station asks for no name."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from inspection.config import load_inspector
from inspection.errors import BundleError
from inspection.images.preprocess import Preprocess
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import ThresholdFile, load_bundle
from inspection.modelstore.bundle_writing import write_bundle
from inspection.modelstore.folders import ModelFolders
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.detectors import DETECTORS, Detector, ScoredImage, load_predictor
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings

THRESHOLD = ThresholdFile(
    threshold=0.25, method="f1_max", k=None, percentile=None, computed_from="nothing",
    num_samples=1, mean_error=0.1, std_error=0.1,
)  # fmt: skip


class Brightness:
    """A detector of one number: how bright a view is."""

    def __init__(self, bundle, device="cpu"):
        self.preprocess = bundle.manifest.preprocess
        self.threshold = bundle.threshold.threshold
        self.device, self.backends = device, ("numpy",)

    def move_to(self, device):
        self.device = device

    def accelerate(self, cache):
        raise AssertionError("no cache was given")

    def judge(self, inputs):
        return [
            ScoredImage(np.full((4, 4), 0.75, np.float32), "defect", {}, float(x.mean()))
            for x in inputs
        ]


@pytest.fixture
def bundle(tmp_path):
    def write(slot="rgb_ae", family="brightness"):
        return write_bundle(
            tmp_path / "models" / slot,
            slot=slot,
            name="toy",
            architecture={"name": family},
            labels=[],
            preprocess=Preprocess(
                modality="rgb", width=32, height=32, channels=3, mean=(0, 0, 0), std=(1, 1, 1)
            ),
            display_scale=1.0,
            training={},
            demo=True,
            tensors={"nothing": torch.zeros(1)},
            threshold=THRESHOLD,
        )

    return write


def test_a_detector_of_a_new_family_judges_on_the_line(tmp_path, bundle, monkeypatch):
    monkeypatch.setitem(DETECTORS, "brightness", Detector(f"{__name__}:Brightness", ("rgb_ae",)))
    bundle()
    spec = SyntheticLot(batteries=1, slices=3, views=2, canvas=160, seed=3)
    lot, policy = scan_lot(write_lot(tmp_path / "lot", spec)), load_inspector()
    lane = EnsembleLane(
        LaneSettings(
            ModelFolders((tmp_path / "models",)), lot.root, policy,
            ImageChooser(policy.sampling, lot.root, with_ensemble=True), "cpu",
        )
    )  # fmt: skip
    assert [model.name for model in lane.load()] == ["toy"]
    said = lane.inspect(lot.batteries[0], threading.Event(), lambda event: None)
    lane.close()
    views = [image for image in said.images if image.modality == "rgb"]
    assert [(view.state, view.threshold) for view in views] == [("done", 0.25)] * 2
    assert all(view.pred_score > 0 for view in views)
    # The other channel has no model: that is said, and the battery is never normal.
    assert said.verdict.ct_state == "failed"
    assert said.verdict.kind == "review"


@pytest.mark.parametrize("family", ["brightness", "ct_classifier"])
def test_a_family_that_does_not_serve_the_slot_is_refused(bundle, family):
    written = bundle(family=family)
    with pytest.raises(BundleError, match=family):
        load_predictor(load_bundle(written.folder))


def test_the_table_is_read_without_torch():
    code = (
        "import sys; import inspection.systems.registry; "
        "from inspection.systems.ensemble.detectors import DETECTORS; "
        "sys.exit('torch' in sys.modules or len(DETECTORS) < 2)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
