"""The file beside a model's weights by which the gate tells what it has never seen."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from inspection.errors import BundleError
from inspection.gate.references import GATE_FILE, GateReferences
from inspection.modelstore.bundle import WEIGHTS_NAME, load_bundle
from inspection.modelstore.bundle_writing import rewrite_bundle
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.listing import slot_state
from inspection.systems.trial import verified_words
from tests.builders.small_models import write_small_models
from training.gate.fit import LookedAt, fit_gate


def features(seed: int, count: int = 200, shift: float = 0.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, 3)) @ np.random.default_rng(0).normal(size=(3, 12))
    return {"deep": (mixed + rng.normal(0, 0.1, mixed.shape) + shift).astype(np.float32)}


def looked(seed: int) -> LookedAt:
    labels, batteries = np.array(["a"] * 200), np.array([f"lot/{n // 10}" for n in range(200)])
    return LookedAt(features(seed), labels, np.full(200, 12.0), batteries)


def fitted(weights: str) -> GateReferences:
    return fit_gate(looked(1), looked(2), weights, "train", "val")


def test_what_was_seen_is_known_and_what_was_not_is_not():
    gate = fitted("0" * 64)
    assert (gate.unlikeness(features(3)) <= 1).all()
    assert (gate.unlikeness(features(3, shift=3.0)) > 1).all()
    none = {"deep": np.full((1, 12), np.nan, np.float32)}
    assert gate.unlikeness(none)[0] > 1


def test_a_gate_survives_the_disk(tmp_path: Path):
    gate, path = fitted("0" * 64), tmp_path / GATE_FILE
    path.write_bytes(gate.to_bytes())
    again = GateReferences.read(path, "0" * 64)
    np.testing.assert_allclose(again.unlikeness(features(3)), gate.unlikeness(features(3)))
    assert (again.strange, again.sharpness) == (gate.strange, gate.sharpness)
    assert (again.fitted_on, again.checked_on) == ("train", "val")


def test_a_gate_of_other_weights_and_a_damaged_one_are_refused(tmp_path: Path):
    path = tmp_path / GATE_FILE
    path.write_bytes(fitted("0" * 64).to_bytes())
    with pytest.raises(BundleError) as other:
        GateReferences.read(path, "1" * 64)
    assert other.value.message.code == "bundle_gate_of_another"
    for content in (b"", b"nothing", path.read_bytes()[:300]):
        path.write_bytes(content)
        with pytest.raises(BundleError) as damaged:
            GateReferences.read(path, "0" * 64)
        assert damaged.value.message.code == "bundle_gate_damaged"


def test_a_model_without_a_gate_stays_usable_and_says_so(tmp_path: Path):
    folder = write_small_models(tmp_path / "models") / "ct_cnn"
    models = ModelFolders((tmp_path / "models",))
    without = load_bundle(folder)
    assert without.gate is None
    said = [message.code for message in verified_words(slot_state(models, "ct_cnn"))]
    assert said[1:] == ["model_without_gate"]

    before = hashlib.sha256((folder / WEIGHTS_NAME).read_bytes()).hexdigest()
    gate = fitted(before)
    rewrite_bundle(without, {GATE_FILE: gate.to_bytes()}, gate_file=GATE_FILE)
    found = load_bundle(folder)
    assert found.gate is not None
    assert found.manifest.files[WEIGHTS_NAME] == before
    assert len(verified_words(slot_state(models, "ct_cnn"))) == 1
