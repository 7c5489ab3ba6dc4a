"""A model that cannot tell is not used: refused at import, and the old one stays as it was."""

from __future__ import annotations

import json
import shutil
import threading

import numpy as np
import pytest
import torch
from builders.installing import import_models
from builders.model_folders import contents, reseal
from builders.small_models import write_small_models
from safetensors.torch import load_file, save_file

from inspection.errors import BundleError
from inspection.modelstore.bundle import find_bundle
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.install import LOCK_NAME
from inspection.paths import resource_path
from inspection.systems.ensemble.known_answers import record_answers, settle_backend
from inspection.systems.trial import try_model, verified_words, verify_model


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = write_small_models(tmp_path_factory.mktemp("small") / "models")
    for slot in ("ct_cnn", "rgb_ae"):
        record_answers(find_bundle(folder, slot))
    return folder


@pytest.fixture
def target(tmp_path, small):
    shutil.copytree(small, tmp_path / "installed")
    (tmp_path / "installed" / LOCK_NAME).touch()
    return tmp_path / "installed"


@pytest.fixture
def bad(tmp_path, small):
    shutil.copytree(small, tmp_path / "bad")
    return tmp_path / "bad"


def cut(folder):
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])


def change_weights(change):
    def apply(folder):
        tensors = load_file(folder / "weights.safetensors")
        change(tensors)
        save_file(tensors, folder / "weights.safetensors")

    return apply


def zero(tensors):
    for name in ("fc.weight", "fc.bias"):
        tensors[name] = torch.zeros_like(tensors[name])


def without_answers(change):
    def apply(folder):
        change(folder)
        manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        del manifest["files"]["answers.safetensors"]
        (folder / "bundle.json").write_text(json.dumps(manifest | {"answers_file": None}))

    return apply


def with_answers(**changes):
    def apply(folder):
        from safetensors.numpy import load_file, save_file

        content = load_file(folder / "answers.safetensors")
        for name, change in changes.items():
            content[name] = change(content[name])
        save_file(content, folder / "answers.safetensors")

    return apply


LAST = "layer4.1.conv2.weight"
DAMAGES = {
    "cut before it was hashed": (cut, "model_weights_damaged"),
    "not a number": (
        change_weights(lambda t: t[LAST].view(-1)[:1].fill_(torch.nan)),
        "model_weights_not_finite",
    ),
    "another shape": (
        change_weights(lambda t: t.update({LAST: t[LAST][:, 1:].contiguous()})),
        "bundle_invalid",
    ),
    "one answer to everything": (change_weights(zero), "model_answers_alike"),
    "one answer to everything, known answers left out": (
        without_answers(change_weights(zero)),
        "model_answers_alike",
    ),
    "statistics that divide by nothing": (
        change_weights(lambda t: t["layer4.1.bn2.running_var"].fill_(-1.0)),
        "model_answers_no_number",
    ),
    "classes in another order": (
        change_weights(lambda t: t.update({"fc.weight": t["fc.weight"].flip(0).contiguous()})),
        "model_answers_differ",
    ),
    "answers that are no numbers": (
        with_answers(outputs=lambda o: np.full_like(o, np.nan)),
        "bundle_unreadable",
    ),
    "answers to nothing": (with_answers(outputs=lambda o: o[:0]), "bundle_unreadable"),
    "answers all alike": (
        with_answers(outputs=lambda o: np.repeat(o[:1], len(o), axis=0)),
        "model_answers_alike",
    ),
    "pictures of another kind": (
        with_answers(**{"picture.00": lambda p: p.astype(np.float32)}),
        "bundle_unreadable",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_model_that_cannot_tell_leaves_the_working_ones_untouched(name, bad, target):
    """Digests agree each time. The other model of the folder is sound, and comes first or last."""
    damage, code = DAMAGES[name]
    damage(bad / "ct_cnn")
    reseal(bad / "ct_cnn")
    before = contents(target)
    with pytest.raises(BundleError) as refused:
        import_models(bad, target)
    assert refused.value.message.code == code
    assert contents(target) == before
    assert len(refused.value.text("en").split(". ")) <= 2


MANIFESTS = {
    "temperature": {"temperature": 1e9},
    "display_scale": {"display_scale": -1.0},
    "no labels": {"labels": []},
    "labels of another table": {"labels": ["a", "b", "c", "d", "e"]},
    "a family of another slot": {"architecture": {"name": "conv_autoencoder"}},
    "RGB for CT": {
        "preprocess": {
            "modality": "rgb", "width": 32, "height": 64, "channels": 1, "mean": [0.5], "std": [0.2]
        }
    },
    "three channels for one": {
        "preprocess": {
            "modality": "ct", "width": 32, "height": 64, "channels": 3, "mean": [0.5] * 3,
            "std": [0.2] * 3,
        }
    },
    "a spread that hides every pixel": {
        "preprocess": {
            "modality": "ct", "width": 32, "height": 64, "channels": 1, "mean": [0.5], "std": [1e30]
        }
    },
    "an input of gigabytes": {
        "preprocess": {
            "modality": "ct", "width": 8192, "height": 8192, "channels": 1, "mean": [0.5],
            "std": [0.2],
        }
    },
}  # fmt: skip


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_description_that_cannot_be_true_is_refused(name, bad, target):
    reseal(bad / "ct_cnn", **MANIFESTS[name])
    before = contents(target)
    with pytest.raises(BundleError):
        import_models(bad, target)
    assert contents(target) == before


def test_an_autoencoder_that_cannot_raise_an_alarm_is_refused(bad, target):
    path = bad / "rgb_ae" / "rgb_ae_threshold.json"
    path.write_text(path.read_text(encoding="utf-8").replace("0.5", "1.5"), encoding="utf-8")
    reseal(bad / "rgb_ae", display_scale=2.0)
    before = contents(target)
    with pytest.raises(BundleError, match="threshold"):
        import_models(bad, target)
    assert contents(target) == before


def test_a_disk_that_refuses_the_second_model_gets_the_first_one_back(
    small, target, tmp_path, monkeypatch
):
    source = tmp_path / "new"
    shutil.copytree(small, source)
    reseal(source / "ct_cnn", temperature=0.25)
    (source / "ct_cnn" / "answers.safetensors").unlink()
    without_answers(lambda folder: None)(source / "ct_cnn")
    reseal(source / "ct_cnn")
    before = contents(target)
    real = type(target).replace

    def refuse(self, place):
        if self.name == "rgb_ae" and place == target / "rgb_ae" and ".staging-" in str(self):
            raise OSError(28, "No space left on device")
        return real(self, place)

    monkeypatch.setattr(type(target), "replace", refuse)
    with pytest.raises(BundleError, match="No space left"):
        import_models(source, target)
    assert contents(target) == before
    monkeypatch.undo()
    assert set(import_models(source, target).slots) == {"ct_cnn", "rgb_ae"}
    assert find_bundle(target, "ct_cnn").manifest.temperature == 0.25


def test_a_model_without_known_answers_is_used_and_that_is_said(bad, target):
    without_answers(lambda folder: None)(bad / "ct_cnn")
    reseal(bad / "ct_cnn")
    import_models(bad, target)
    models = ModelFolders((target,))
    said = {s: verified_words(verify_model(models, s))[0].code for s in ("ct_cnn", "rgb_ae")}
    assert said == {"ct_cnn": "model_verified_unknown", "rgb_ae": "model_verified_known"}


def test_a_model_that_went_bad_after_it_was_installed_is_told_by_verify(target):
    change_weights(zero)(target / "ct_cnn")
    reseal(target / "ct_cnn")
    state = verify_model(ModelFolders((target,)), "ct_cnn")
    assert (state.condition, state.problem.code) == ("unusable", "model_answers_alike")


@pytest.mark.parametrize("slot", ["ct_cnn", "rgb_ae"])
def test_the_bundled_models_know_their_answers(slot):
    try_model(resource_path("models", slot), slot)
    assert find_bundle(resource_path("models"), slot).answers is not None


class Drifting:
    """A model that is computed wrongly by whatever is faster."""

    def __init__(self, bundle):
        from inspection.systems.ensemble.detectors import load_predictor

        self._inner = load_predictor(bundle)
        self.preprocess, self.device = self._inner.preprocess, "cpu"
        self.backends = ("OpenVINO bf16",)

    def move_to(self, device):
        self.backends = self._inner.backends

    def judge(self, inputs):
        judged = self._inner.judge(inputs)
        if self.backends == self._inner.backends:
            return judged
        from dataclasses import replace

        return [replace(found, pred_score=1.0 - found.pred_score) for found in judged]


def test_a_fast_backend_with_other_answers_is_not_used(small):
    bundle = find_bundle(small, "ct_cnn")
    predictor = Drifting(bundle)
    settle_backend(predictor, bundle)
    assert predictor.backends == ("torch f32",)


def test_a_lane_judges_nothing_with_a_model_that_cannot_tell(target, tmp_path):
    from inspection.config import load_inspector
    from inspection.lot.scan import scan_lot
    from inspection.synthetic import SyntheticLot, write_lot
    from inspection.systems.ensemble.lane import EnsembleLane
    from inspection.systems.image_choice import ImageChooser
    from inspection.systems.lane import LaneSettings

    change_weights(zero)(target / "ct_cnn")
    reseal(target / "ct_cnn")
    lot = scan_lot(
        write_lot(tmp_path / "lot", SyntheticLot(batteries=1, slices=3, views=1, canvas=160))
    )
    policy = load_inspector()
    chooser = ImageChooser(policy.sampling, lot.root, with_ensemble=True)
    lane = EnsembleLane(LaneSettings(ModelFolders((target,)), lot.root, policy, chooser, "cpu"))
    assert [model.slot for model in lane.load()] == ["rgb_ae"]
    said = lane.inspect(lot.batteries[0], threading.Event(), lambda event: None)
    lane.close()
    assert said.verdict.kind == "review"
    assert "model_answers_alike" in [reason.code for reason in said.verdict.reasons]


def test_weights_of_another_size_than_the_configuration_tells_are_refused(tmp_path, target):
    source = tmp_path / "vlm"
    shutil.copytree(resource_path("models", "vlm"), source)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    (source / "model.json").unlink()
    for key, problem in (("vocab_size", "embed_tokens"), ("num_hidden_layers", "4 layers")):
        other = config["text_config"] | {key: config["text_config"][key] + 1}
        content = json.dumps({**config, "text_config": other})
        (source / "config.json").write_text(content, encoding="utf-8")
        before = contents(target)
        with pytest.raises(BundleError, match=problem):
            import_models(source, target)
        assert contents(target) == before
    source = tmp_path / "vlg"
    shutil.copytree(resource_path("models", "vlg"), source)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    (source / "model.json").unlink()
    (source / "config.json").write_text(json.dumps({**config, "num_queries": 21}))
    with pytest.raises(BundleError, match="query_position_embeddings"):
        import_models(source, target)


def test_a_tensor_that_has_not_the_bytes_of_its_shape_is_refused(tmp_path, target):
    source = tmp_path / "vlg"
    shutil.copytree(resource_path("models", "vlg"), source)
    (source / "model.json").unlink()
    data = (source / "model.safetensors").read_bytes()
    assert data.count(b'"shape":[20,128]') == 1
    data = data.replace(b'"shape":[20,128]', b'"shape":[20,129]')
    (source / "model.safetensors").write_bytes(data)
    with pytest.raises(BundleError) as refused:
        import_models(source, target)
    assert refused.value.message.code == "model_weights_damaged"
