"""The CT autoencoder: an optional further score that can ask for a person, and nothing else."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from builders.ensemble_models import copy_ensemble, write_ct_autoencoder
from hypothesis import given
from hypothesis import strategies as st

from inspection.config import GateConfig, InspectorConfig, find_policy
from inspection.lot.scan import scan_lot
from inspection.messages import Message
from inspection.modelstore.folders import ModelFolders
from inspection.predictions import Prediction
from inspection.results import ImageResult
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.fusion import judge_images
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.ensemble.second_look import second_look
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings

POLICY = InspectorConfig()
# The lot is small, and its slices are less sharp than any that the gate was fitted on.
NO_GATE = GateConfig.off()
LIMIT = 0.2


def a_slice(number, score=None, *, cnn=0.01, axis="z"):
    return ImageResult(
        image=f"ct/{axis}_{number:03}.jpg", modality="ct", axis=axis, number=number, state="done",
        pred_label="cell_porosity" if cnn > 0.5 else "cell_normal",
        probabilities={"cell_normal": 1 - cnn, "cell_porosity": cnn},
        pred_score=cnn, threshold=0.5, is_anomaly=cnn > 0.5,
        ct_ae_score=score, ct_ae_threshold=None if score is None else LIMIT,
    )  # fmt: skip


def a_view(score=0.1):
    return ImageResult(
        image="rgb/1.png", modality="rgb", number=1, state="done", pred_label="normal",
        pred_score=score, threshold=0.5, is_anomaly=score > 0.5,
    )  # fmt: skip


def judged(slices, view=0.1, **options):
    return judge_images([*slices, a_view(view)], len(slices), 1, POLICY, **options)


def stack(*scores, cnn=0.01):
    return [a_slice(number, score, cnn=cnn) for number, score in enumerate(scores, start=1)]


QUIET, LOUD = 0.05, 0.6


def test_a_strange_stretch_of_a_normal_battery_is_for_a_person():
    found = judged(stack(QUIET, LOUD, LOUD, 0.3, QUIET, QUIET))
    assert found.verdict.kind == "review"
    assert [reason.code for reason in found.verdict.reasons] == ["fusion_ct_ae_run"]
    assert "z 2–4" in found.verdict.reasons[0].text("en")
    # The level that three neighbours all reach, 0.5 being the threshold.
    assert found.verdict.ct_ae_score == pytest.approx(1 - 2 ** -(0.3 / LIMIT))
    assert found.ensemble.ct_ae_score == found.verdict.ct_ae_score
    # They are what the operator is led to.
    assert {name[-7:-4] for name in found.worst_slices} == {"002", "003", "004"}


def test_without_an_autoencoder_nothing_is_different():
    found = judged(stack(*[None] * 6))
    assert (found.verdict.kind, found.verdict.ct_ae_score) == ("normal", None)
    assert found.verdict == judged(stack(*[QUIET] * 6)).verdict.model_copy(
        update={"ct_ae_score": None}
    )


@pytest.mark.parametrize(
    "scores",
    [
        (QUIET, LOUD, LOUD, QUIET, QUIET, QUIET),
        (LOUD, LOUD, None, LOUD, LOUD, QUIET),
        (LOUD, QUIET, LOUD, QUIET, LOUD, QUIET),
    ],
)
def test_what_is_no_run_of_neighbours_is_noise(scores):
    found = judged(stack(*scores))
    assert found.verdict.kind == "normal"
    assert found.verdict.ct_ae_score <= 0.5


def test_runs_are_of_one_axis():
    slices = [a_slice(n, LOUD, axis=axis) for axis in "xyz" for n in (1, 2)]
    slices += [a_slice(n, QUIET, axis=axis) for axis in "xyz" for n in (3, 4)]
    assert judged(slices).verdict.kind == "normal"


def test_beside_a_defect_of_the_classifier_it_has_nothing_to_say():
    found = judged(stack(*[LOUD] * 6, cnn=0.98))
    plain = judged(stack(*[None] * 6, cnn=0.98))
    assert found.verdict.reasons == plain.verdict.reasons
    assert found.verdict.kind == plain.verdict.kind != "normal"


def test_an_exterior_defect_stays_one_and_the_slices_are_named_too():
    policy = POLICY.model_copy(
        update={"weighted_average": POLICY.weighted_average.model_copy(update={"threshold": 0.3})}
    )
    found = judge_images([*stack(*[LOUD] * 6), a_view(3.0)], 6, 1, policy)
    assert found.verdict.kind == "external_defect"
    assert "fusion_ct_ae_run" in [reason.code for reason in found.verdict.reasons]


def test_an_autoencoder_that_cannot_be_asked_leaves_nothing_normal():
    why = Message(code="model_answers_alike", params={"folder": "ct_ae"})
    found = judged(stack(*[None] * 6), unasked=why)
    assert (found.verdict.kind, found.verdict.reasons) == ("review", [why])


scores = st.lists(st.one_of(st.none(), st.floats(0, 2)), min_size=1, max_size=12)


@given(scores, st.floats(0, 1), st.floats(0, 2))
def test_it_never_makes_a_battery_better(found, cnn, view):
    with_it = judged(stack(*found, cnn=cnn), view).verdict
    without = judged(stack(*[None] * len(found), cnn=cnn), view).verdict
    assert with_it.kind == without.kind or (without.kind, with_it.kind) == ("normal", "review")


@given(scores)
def test_the_battery_s_score_is_over_one_half_exactly_where_a_run_is(found):
    look = second_look(stack(*found), 3)
    assert (look.score is not None and look.score > 0.5) == bool(look.runs) == bool(look.reason)


# -- in the lane ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    spec = SyntheticLot(batteries=1, slices=34, views=1, canvas=160, seed=3, defects=0.0)
    return scan_lot(write_lot(tmp_path_factory.mktemp("lot"), spec))


def settings_of(models, lot, **policy):
    # Whatever the demo classifier makes of a slice, here it is normal.
    rules = POLICY.aggregation.model_copy(update={"slice_threshold": 0.9999})
    inspector = find_policy(models).inspector.model_copy(update={"aggregation": rules, **policy})
    chooser = ImageChooser(inspector.sampling, lot.root, with_ensemble=True)
    return LaneSettings(ModelFolders((models,)), lot.root, inspector, chooser, "cpu", gate=NO_GATE)


def inspected(settings, lot):
    lane, told = EnsembleLane(settings), []
    models = lane.load()
    said = lane.inspect(lot.batteries[0], threading.Event(), told.append)
    lane.close()
    return [model.slot for model in models], said, told


def test_every_slice_has_both_scores_and_the_classifier_s_are_the_same(lot, tmp_path):
    models = copy_ensemble(tmp_path / "models")
    slots, alone, _ = inspected(settings_of(models, lot), lot)
    assert slots == ["ct_cnn", "rgb_ae"]
    write_ct_autoencoder(models)
    slots, said, told = inspected(settings_of(models, lot), lot)
    assert slots == ["ct_cnn", "rgb_ae", "ct_ae"]
    slices = [image for image in said.images if image.modality == "ct"]
    # In the same order, over more than one part of the stack.
    assert [image.image for image in said.images] == [image.image for image in alone.images]
    assert all(image.ct_ae_score > 0 and image.ct_ae_threshold == 0.05 for image in slices)
    assert len({image.ct_ae_score for image in slices}) > 10
    assert [i.probabilities for i in said.images] == [i.probabilities for i in alone.images]
    views = [image for image in said.images if image.modality == "rgb"]
    assert [view.ct_ae_score for view in views] == [None]
    # What the window shows at once has it too.
    shown = {e.image.path.name: e.ct_ae_score for e in told if isinstance(e, Prediction)}
    assert shown == {image.image.rpartition("/")[2]: image.ct_ae_score for image in said.images}
    assert said.verdict.ct_ae_score is not None


def test_a_low_threshold_alone_brings_a_battery_to_review(lot, tmp_path):
    models = copy_ensemble(tmp_path / "models")
    before = inspected(settings_of(models, lot), lot)[1].verdict
    assert before.kind == "normal"
    write_ct_autoencoder(models, threshold=1e-4)
    verdict = inspected(settings_of(models, lot), lot)[1].verdict
    assert verdict.kind == "review"
    assert [r.code for r in verdict.reasons] == ["fusion_ct_ae_run"]
    off = inspected(settings_of(models, lot, ct_autoencoder=False), lot)
    assert off[0] == ["ct_cnn", "rgb_ae"]
    assert off[1].verdict == before


def test_one_that_is_installed_and_damaged_is_told_of(lot, tmp_path):
    models = copy_ensemble(tmp_path / "models")
    folder = write_ct_autoencoder(models)
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    (folder / "bundle.json").write_text(json.dumps({**manifest, "display_scale": 2.0}))
    slots, said, _ = inspected(settings_of(models, lot), lot)
    assert slots == ["ct_cnn", "rgb_ae"]
    assert said.verdict.kind == "review"
    assert [reason.code for reason in said.verdict.reasons] == ["bundle_altered"]


def test_the_policy_is_part_of_what_a_lane_was_loaded_for(lot, tmp_path):
    settings = settings_of(copy_ensemble(tmp_path / "models"), lot)
    off = settings.inspector.model_copy(update={"ct_autoencoder": False})
    assert not settings.same_models(replace(settings, inspector=off))
