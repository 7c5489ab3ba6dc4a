"""Lanes give up batch, pixels and GPU one step at a time, and say so; the GPU is shared."""

import threading

import numpy as np
import pytest
import torch

from inspection.config import load_inspector
from inspection.errors import InspectionError
from inspection.images.decode_ahead import DecodeAhead
from inspection.lot.scan import scan_lot
from inspection.messages import Message
from inspection.modelstore.bundle import find_bundle
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.predictions import Prediction
from inspection.records import ImageRef
from inspection.run.assemble import assemble
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble.backbones import CtClassifier
from inspection.systems.ensemble.channel import BATCH, ChannelModel
from inspection.systems.ensemble.cnn import CnnPredictor
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings
from inspection.systems.memory import ENSEMBLE_BYTES, GpuBudget, Ladder, is_out_of_memory

GIB = 1 << 30


def step(name, taken):
    return Message(code="memory_step_pixels", params={"pixels": name}), lambda: taken.append(name)


def fails(times, error):
    left = [error] * times

    def work():
        if left:
            raise left.pop()
        return "done"

    return work


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        MemoryError(),
    ],
)
def test_each_step_is_taken_once_in_order_and_kept(error):
    taken = []
    ladder = Ladder([step(2, taken), step(1, taken), step(0, taken)])
    assert ladder.run(fails(2, error)) == "done"
    assert taken == [2, 1]
    assert [message.params["pixels"] for message in ladder.taken] == [2, 1]
    assert ladder.run(fails(0, error)) == "done"
    assert taken == [2, 1]


def test_with_nothing_left_to_give_up_it_says_so():
    taken = []
    with pytest.raises(InspectionError, match="nothing left to give up"):
        Ladder([step(1, taken)]).run(fails(2, MemoryError()))
    assert taken == [1]


def test_any_other_error_passes_at_once():
    taken = []
    with pytest.raises(RuntimeError, match="shape"):
        Ladder([step(1, taken)]).run(fails(1, RuntimeError("shape mismatch")))
    assert taken == []
    assert not is_out_of_memory(RuntimeError("shape mismatch"))


def test_lanes_share_the_gpu_and_the_ensemble_keeps_its_part():
    gpu = GpuBudget(total=ENSEMBLE_BYTES + 20 * GIB)
    assert gpu.reserve("vlm", 16 * GIB)
    assert gpu.free_for("vlg") == 4 * GIB
    assert not gpu.reserve("vlg", 5 * GIB)
    assert gpu.reserve("vlg", 2 * GIB)
    # A lane that loads again asks for all of it, not for more.
    assert gpu.reserve("vlm", 18 * GIB)
    assert not gpu.reserve("vlm", 19 * GIB)
    gpu.release("vlm")
    assert gpu.free_for("vlm") == 18 * GIB
    assert gpu.reserve("ensemble", 1)


@pytest.fixture(scope="module")
def slices(tmp_path_factory) -> tuple[ImageRef, ...]:
    spec = SyntheticLot(batteries=1, slices=24, views=1, canvas=160, seed=3, defects=1.0)
    return scan_lot(write_lot(tmp_path_factory.mktemp("lots") / "lot", spec)).batteries[0].ct


@pytest.mark.parametrize("largest", [5, 1])
def test_the_classifier_halves_its_batch_and_says_the_same(
    slices, largest, monkeypatch: pytest.MonkeyPatch
):
    predictor = CnnPredictor(find_bundle(resource_path("models"), "ct_cnn"))
    decoding = DecodeAhead()
    plain, small = (ChannelModel(predictor, decoding, 0.5) for _ in range(2))
    expected = judged(plain, slices)
    classify = predictor.model.classify

    def scarce(feats):
        if len(feats) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return classify(feats)

    monkeypatch.setattr(predictor.model, "classify", scarce)
    got = judged(small, slices)
    assert [p.image for p in got] == [p.image for p in expected]
    np.testing.assert_allclose(
        [p.pred_score for p in got], [p.pred_score for p in expected], atol=1e-4
    )
    sizes = [message.params["batch"] for message in small.memory_steps]
    assert sizes == [s for s in (8, 4, 2, 1) if s >= largest / 2 and s < BATCH]
    assert plain.memory_steps == []
    decoding.close()


def judged(channel, slices) -> list[Prediction]:
    outcomes = list(channel.predict(slices, threading.Event()))
    assert all(isinstance(o, Prediction) for o in outcomes), outcomes
    return outcomes


def test_a_battery_that_cost_memory_says_so_in_its_result(
    tmp_path, monkeypatch: pytest.MonkeyPatch
):
    spec = SyntheticLot(batteries=1, slices=3, views=1, canvas=160, seed=3, defects=1.0)
    lot = scan_lot(write_lot(tmp_path / "lot", spec))
    policy = load_inspector()
    settings = LaneSettings(
        ModelFolders((resource_path("models"),)), lot.root, policy,
        ImageChooser(policy.sampling, lot.root, with_ensemble=True), "cpu",
    )  # fmt: skip
    classify, calls = CtClassifier.classify, []

    def scarce(self, feats):
        calls.append(len(feats))
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return classify(self, feats)

    lane = EnsembleLane(settings)
    lane.load()
    monkeypatch.setattr(CtClassifier, "classify", scarce)
    said = lane.inspect(lot.batteries[0], threading.Event(), lambda event: None)
    lane.close()
    result = assemble(lot.batteries[0], {"ensemble": said})
    assert result.memory_steps == {
        "ensemble": [Message(code="memory_step_batch", params={"batch": 8})]
    }
    assert all(image.state == "done" for image in result.images)
