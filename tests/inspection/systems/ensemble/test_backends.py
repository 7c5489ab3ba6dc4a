"""Whatever computes a model on this computer says what PyTorch says in single precision."""

import json
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from inspection.config import load_inspector
from inspection.images.decode_ahead import DecodeAhead, Wanted
from inspection.lot.scan import scan_lot
from inspection.modelstore.bundle import find_bundle
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.ensemble import backends, cae, cnn
from inspection.systems.ensemble.backends import PLAIN, Backend, Part, fastest_backend
from inspection.systems.ensemble.cae import CaePredictor
from inspection.systems.ensemble.channel import BATCH
from inspection.systems.ensemble.cnn import CnnPredictor
from inspection.systems.ensemble.lane import EnsembleLane
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings

MODELS = resource_path("models")


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)

    def look(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).relu()


@pytest.fixture
def part() -> Part:
    torch.manual_seed(0)
    return Part(Small().eval().requires_grad_(False), "look")


EXAMPLE = torch.zeros(1, 3, 16, 16)


@pytest.fixture(scope="module")
def battery(tmp_path_factory):
    spec = SyntheticLot(batteries=1, slices=24, views=8, canvas=320, seed=9, defects=1.0)
    return scan_lot(write_lot(tmp_path_factory.mktemp("lots") / "lot", spec)).batteries[0]


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("캐시 폴더")


def inputs_of(refs, spec):
    decoding = DecodeAhead()
    arrays = [item.input.array for item in decoding.images([Wanted(ref, spec) for ref in refs])]
    decoding.close()
    return arrays


@pytest.mark.parametrize("fast", [False, True])
def test_batches_of_slices_get_the_probabilities_of_single_slices(battery, cache, fast):
    reference = CnnPredictor(find_bundle(MODELS, "ct_cnn"))
    predictor = CnnPredictor(find_bundle(MODELS, "ct_cnn"))
    if fast:
        predictor.accelerate(cache)
    arrays = inputs_of(battery.ct, reference.preprocess)
    one_by_one = [reference.predict(array[None]) for array in arrays]
    expected = np.concatenate([output.probabilities for output in one_by_one])
    batches = [np.stack(arrays[i : i + BATCH]) for i in range(0, len(arrays), BATCH)]
    got = np.concatenate([predictor.predict(batch).probabilities for batch in batches])
    np.testing.assert_allclose(got, expected, atol=1e-2)
    ranked = np.sort(expected, axis=1)
    clear = ranked[:, -1] - ranked[:, -2] > 0.05
    assert clear.any()
    assert (got.argmax(axis=1) == expected.argmax(axis=1))[clear].all()


def test_views_get_the_scores_of_single_views(battery, cache):
    reference = CaePredictor(find_bundle(MODELS, "rgb_ae"))
    predictor = CaePredictor(find_bundle(MODELS, "rgb_ae"))
    predictor.accelerate(cache)
    arrays = inputs_of(battery.rgb, reference.preprocess)
    expected = [reference.judge(array[None])[0].pred_score for array in arrays]
    got = predictor.judge(np.stack(arrays))
    np.testing.assert_allclose([image.pred_score for image in got], expected, atol=1e-2)
    assert got[0].heat.dtype == np.float32


def test_the_lane_computes_with_what_was_chosen(battery, tmp_path, monkeypatch):
    calls = []

    def chosen(part, *_, **__):
        def forward(x):
            calls.append((part.method, len(x)))
            return part(x)

        return Backend(f"other {part.method}", forward)

    for module in (cnn, cae):
        monkeypatch.setattr(module, "fastest_backend", chosen)
    policy = load_inspector()
    root = battery.ct[0].path.parent
    chooser = ImageChooser(policy.sampling, root, with_ensemble=True)
    settings = LaneSettings(ModelFolders((MODELS,)), root, policy, chooser, "cpu")
    lane = EnsembleLane(replace(settings, cache_dir=tmp_path))
    models = lane.load()
    # At loading, test pictures were judged with them too.
    assert calls
    calls.clear()
    lane.inspect(battery, threading.Event(), lambda _: None)
    lane.close()
    judged = Counter()
    for method, count in calls:
        judged[method] += count
    assert judged == {"stem": 24, "deepen": 24, "reconstruct": 8, "compare": 8}
    assert [model.device for model in models] == [
        "cpu: other stem, other deepen", "cpu: other reconstruct, other compare"
    ]  # fmt: skip


def test_what_was_measured_once_is_remembered(part, tmp_path):
    chosen = fastest_backend(part, EXAMPLE, "weights", tmp_path)
    (found,) = tmp_path.glob("*.json")
    assert json.loads(found.read_text(encoding="utf-8")) == {"backend": chosen.name}
    # A computer that found PyTorch to be faster does not look again.
    found.write_text(json.dumps({"backend": PLAIN}), encoding="utf-8")
    assert fastest_backend(part, EXAMPLE, "weights", tmp_path).name == PLAIN
    # Other weights are another question.
    fastest_backend(part, EXAMPLE, "other weights", tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_a_damaged_finding_is_measured_again(part, tmp_path):
    fastest_backend(part, EXAMPLE, "weights", tmp_path)
    (found,) = tmp_path.glob("*.json")
    found.write_text("{", encoding="utf-8")
    chosen = fastest_backend(part, EXAMPLE, "weights", tmp_path)
    assert json.loads(found.read_text(encoding="utf-8")) == {"backend": chosen.name}


def test_a_backend_that_says_something_else_is_not_used(part, tmp_path, monkeypatch):
    class Wrong:
        def __init__(self, compiled) -> None:
            pass

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return part(x) * 1.2

    monkeypatch.setattr(backends, "_OpenVino", Wrong)
    assert fastest_backend(part, EXAMPLE, "weights", tmp_path).name == PLAIN


def test_a_converted_network_that_was_damaged_on_the_disk_is_converted_again(part, tmp_path):
    fastest_backend(part, EXAMPLE, "weights", tmp_path)
    (weights,) = tmp_path.glob("*.bin")
    good = weights.read_bytes()
    weights.write_bytes(bytes(len(good)))
    x = torch.randn(2, 3, 16, 16)
    chosen = fastest_backend(part, EXAMPLE, "weights", tmp_path)
    torch.testing.assert_close(chosen.forward(x), part(x), atol=0.05, rtol=0.05)
    weights.with_suffix(".xml").write_text("<net", encoding="utf-8")
    chosen = fastest_backend(part, EXAMPLE, "weights", tmp_path)
    torch.testing.assert_close(chosen.forward(x), part(x), atol=0.05, rtol=0.05)


def test_without_the_other_library_pytorch_computes(part, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    chosen = fastest_backend(part, EXAMPLE, "weights", tmp_path)
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(chosen.forward(x), part(x))
    assert chosen.name == PLAIN


def test_a_cache_that_cannot_be_written_costs_a_measurement_and_no_more(part, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    chosen = fastest_backend(part, EXAMPLE, "weights", blocked / "cache")
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(chosen.forward(x), part(x), atol=0.05, rtol=0.05)
