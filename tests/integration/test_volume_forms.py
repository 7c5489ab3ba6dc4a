"""One body is judged alike, whether its CT comes as pictures of its planes or as a volume."""

import threading

import pytest

from inspection.config import find_policy
from inspection.images.body_planes import with_body
from inspection.images.stack_grey import GreyPolicy, StackWindows
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import reference_levels
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings
from inspection.volumes.config import VolumesConfig

SPEC = SyntheticLot(batteries=2, views=1, canvas=224, seed=6, defects=0.5, bits="8")
STEP = 13
"""Of the planes of each body so many are judged; from the first on, in every form."""
SCORES = ("cnn_prob", "fused_score")

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the ensemble says of each battery, by the form in which its CT was written."""
    models = ModelFolders((resource_path("models"),))
    policy = find_policy(models.with_policy).inspector
    chooser = ImageChooser(policy.sampling, tmp_path_factory.getbasetemp(), with_ensemble=True)
    lane = EnsembleLane(LaneSettings(models, tmp_path_factory.getbasetemp(), policy, chooser))
    lane.load()
    found = {}
    for form in ("jpeg", "tiff-stack", "dicom", "raw"):
        spec = SPEC.model_copy(update={"form": form})
        lot = write_lot(tmp_path_factory.mktemp("lots") / form, spec, workers=1)
        for picture in lot.glob("*/ct/?_*.jpg"):
            if int(picture.stem[2:]) % STEP:
                picture.unlink()
        greys = StackWindows(GreyPolicy(policy.grey_window, reference_levels(models)))
        lane.settings = LaneSettings(models, lot, policy, chooser, greys=greys)
        for battery in scan_lot(lot, recipe=VolumesConfig(step=STEP)).batteries:
            result = lane.inspect(with_body(battery), threading.Event(), lambda _event: None)
            found.setdefault(battery.battery_id, {})[form] = result
    lane.close()
    return found


def test_verdict_and_scores_are_the_same_in_every_form(results):
    seen = set()
    for forms in results.values():
        pictures = forms.pop("jpeg")
        seen.add(pictures.verdict.ct_state)
        for volume in forms.values():
            assert volume.verdict.kind == pictures.verdict.kind
            assert volume.verdict.ct_state == pictures.verdict.ct_state
            assert volume.verdict.defect_type == pictures.verdict.defect_type
            for score in SCORES:
                told = getattr(volume.verdict, score)
                assert told == pytest.approx(getattr(pictures.verdict, score), abs=0.02)
    assert "defect" in seen
    assert len(seen) > 1
