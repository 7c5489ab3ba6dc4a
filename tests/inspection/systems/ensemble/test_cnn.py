"""The classifier's forward pass carries Grad-CAM, and a bundle brings it back as it was."""

from pathlib import Path

import numpy as np
import pytest
import torch

from inspection.classes import class_table
from inspection.errors import BundleError
from inspection.images.preprocess import Preprocess
from inspection.modelstore.bundle import Bundle, find_bundle
from inspection.modelstore.bundle_writing import write_bundle
from inspection.paths import resource_path
from inspection.systems.ensemble.backbones import CtClassifier, build_classifier
from inspection.systems.ensemble.cnn import CnnPredictor, grad_cam

ARCHITECTURE = {"backbone": "resnet18", "in_channels": 1, "output_stride": 16}
SPEC = Preprocess(modality="ct", width=64, height=96, channels=1, mean=(0.5,), std=(0.5,))


@pytest.fixture(scope="module")
def model() -> CtClassifier:
    torch.manual_seed(3)
    built = build_classifier(ARCHITECTURE)
    # Running statistics as after some training, else every image looks alike.
    built.train()
    with torch.no_grad():
        for _ in range(3):
            built(torch.randn(4, 1, 96, 64))
    return built.eval()


OVERFLOW = "module_resin_overflow"


def bundle_of(model: CtClassifier, folder: Path, **changes: object) -> Bundle:
    values: dict[str, object] = {
        "slot": "ct_cnn",
        "name": "test",
        "architecture": ARCHITECTURE,
        "labels": list(class_table().ct),
        "preprocess": SPEC,
        "display_scale": 2.0,
        "temperature": 1.5,
        "training": {},
        "demo": True,
        "tensors": model.state_dict(),
    }
    return write_bundle(folder, **{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backbone", "channels", "stride", "target"),
    [
        *(("resnet18", 1, stride, target) for stride in (16, 32) for target in range(5)),
        ("resnet18", 3, 32, 1),
        ("resnet50", 1, 16, 3),
        ("resnet50", 3, 32, 0),
        ("convnext_tiny", 1, 32, 1),
        ("convnext_tiny", 3, 32, 4),
    ],
)
def test_the_forward_pass_gives_the_map_of_grad_cam(
    backbone: str, channels: int, stride: int, target: int
) -> None:
    torch.manual_seed(stride)
    architecture = {"backbone": backbone, "in_channels": channels, "output_stride": stride}
    built = build_classifier(architecture).eval()
    x = torch.randn(1, channels, 128, 96)
    with torch.inference_mode():
        _, cams = built(x)
    assert cams.shape == (1, len(class_table().ct), 128 // stride, 96 // stride)
    ours = cams[0, target].clamp(min=0).numpy() / (cams.shape[2] * cams.shape[3])
    theirs = grad_cam(built, x, target_class=target)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * max(theirs.max(), 1e-12))


def test_logits_are_the_means_of_the_maps(model: CtClassifier) -> None:
    with torch.inference_mode():
        logits, cams = model(torch.randn(3, 1, 96, 64))
        torch.testing.assert_close(logits, cams.mean(dim=(2, 3)) + model.fc.bias)


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "layercam", "eigencam"])
def test_methods_on_demand_leave_no_trace(model: CtClassifier, method: str) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    try:
        heat = grad_cam(model, torch.randn(1, 1, 96, 64), method)  # type: ignore[arg-type]
    finally:
        for parameter in model.parameters():
            parameter.requires_grad_(True)
    assert heat.shape == (6, 4)
    assert heat.min() >= 0
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_bundle_predicts_as_the_model_did(model: CtClassifier, tmp_path: Path) -> None:
    predictor = CnnPredictor(bundle_of(model, tmp_path / "ct_cnn"))
    inputs = np.random.default_rng(0).normal(size=(4, 1, 96, 64)).astype(np.float32)
    output = predictor.predict(inputs)
    with torch.inference_mode():
        logits, cams = model(torch.from_numpy(inputs))
    # Half-precision weights: three digits.
    expected = torch.softmax(logits / 1.5, dim=1).numpy()
    np.testing.assert_allclose(output.probabilities, expected, atol=5e-3)
    np.testing.assert_allclose(output.maps, (cams / 2.0).clamp(0, 1).numpy(), atol=5e-3)
    np.testing.assert_allclose(output.probabilities.sum(axis=1), 1.0, atol=1e-5)


def test_the_shown_map_is_that_of_the_likeliest_defect(model: CtClassifier, tmp_path: Path) -> None:
    predictor = CnnPredictor(bundle_of(model, tmp_path / "ct_cnn"))
    output = predictor.predict(np.zeros((2, 1, 96, 64), np.float32))
    # A certain normal cell, and a module with resin overflow.
    names = ("cell_normal", "cell_porosity", "module_normal", "module_porosity", OVERFLOW)
    columns = [class_table().ct.index(name) for name in names]
    output.probabilities[:] = 0.0
    output.probabilities[:, columns] = [[0.9, 0.02, 0.03, 0.05, 0.0], [0.1, 0.0, 0.2, 0.1, 0.6]]
    maps = predictor.anomaly_maps(output)
    np.testing.assert_array_equal(
        maps[0], output.maps[0, class_table().ct.index("module_porosity")]
    )
    np.testing.assert_array_equal(maps[1], output.maps[1, class_table().ct.index(OVERFLOW)])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"architecture": {"backbone": "resnet18"}}, "architecture"),
        ({"architecture": {**ARCHITECTURE, "backbone": "vgg"}}, "architecture"),
        ({"architecture": {**ARCHITECTURE, "output_stride": 8}}, "architecture"),
        ({"architecture": {**ARCHITECTURE, "in_channels": 3}}, "weights"),
        ({"tensors": {"fc.bias": torch.zeros(5)}}, "weights"),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused(
    model: CtClassifier, tmp_path: Path, changes: dict[str, object], field: str
) -> None:
    bundle = bundle_of(model, tmp_path / "ct_cnn", **changes)
    with pytest.raises(BundleError) as caught:
        CnnPredictor(bundle)
    assert caught.value.message.params["field"] == field


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (["cell_normal", "cell_dent"], "bundle_labels_unknown"),
        (["cell_porosity", "cell_normal"], "bundle_labels_order"),
        (["cell_normal", "module_normal"], "bundle_labels_order"),
    ],
)
def test_labels_that_the_class_table_does_not_have_so_are_one_sentence(
    model: CtClassifier, tmp_path: Path, labels: list[str], code: str
) -> None:
    bundle = bundle_of(model, tmp_path / "ct_cnn", labels=labels)
    with pytest.raises(BundleError) as caught:
        CnnPredictor(bundle)
    assert caught.value.message.code == code
    for language in ("en", "ko"):
        assert labels[-1] in caught.value.message.text(language)


@pytest.mark.parametrize(
    ("architecture", "named"),
    [
        ({"backbone": "convnext_tiny", "in_channels": 1, "output_stride": 16}, "output_stride"),
        ({"backbone": "resnet50", "in_channels": 1, "output_stride": 8}, "output_stride"),
        ({"backbone": "vgg16", "in_channels": 1, "output_stride": 32}, "vgg16"),
    ],
)
def test_a_network_that_cannot_be_is_refused(
    architecture: dict[str, str | int], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        build_classifier(architecture)


def test_the_demo_weights_still_load() -> None:
    bundle = find_bundle(resource_path("models"), "ct_cnn")
    spec = bundle.manifest.preprocess
    output = CnnPredictor(bundle).predict(
        np.zeros((1, spec.channels, spec.height, spec.width), np.float32)
    )
    assert output.probabilities.sum() == pytest.approx(1.0, abs=1e-5)
