"""The autoencoder's predictor: shapes, fixed scale, score, refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from inspection.errors import BundleError
from inspection.images.preprocess import Preprocess
from inspection.modelstore.bundle import ThresholdFile, load_bundle
from inspection.modelstore.bundle_writing import write_bundle
from inspection.systems.ensemble.cae import (
    CaePredictor,
    load_weights,
    score_maps,
    smooth,
    to_display,
)
from inspection.systems.ensemble.cae_head import local_contrast
from inspection.systems.ensemble.cae_network import CaeArchitecture, ConvAutoencoder, inside

SPEC = Preprocess(
    modality="rgb",
    width=64,
    height=32,
    channels=3,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
SMALL = {"latent_dim": 8, "reduction": 2, "base": 4, "levels": 3, "head_base": 4, "head_levels": 2}


def threshold_file(value: float = 0.3) -> ThresholdFile:
    return ThresholdFile(
        threshold=value,
        method="mean_std",
        k=2.5,
        percentile=None,
        computed_from="test",
        num_samples=4,
        mean_error=0.1,
        std_error=0.01,
    )


def make_bundle(folder, method="discriminative", **changes):
    arch = CaeArchitecture(method=method, **SMALL)
    torch.manual_seed(3)
    model = ConvAutoencoder(arch, SPEC.width, SPEC.height)
    values = {
        "slot": "rgb_ae",
        "name": "tiny",
        "architecture": arch.model_dump(),
        "labels": [],
        "preprocess": SPEC,
        "display_scale": 1.0,
        "training": {},
        "demo": True,
        "tensors": model.state_dict(),
        "threshold": threshold_file(),
    } | changes
    return write_bundle(folder / "rgb_ae", **values)


def inputs(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 3, 32, 64)).astype(np.float32)


@pytest.mark.parametrize(("method", "size"), [("discriminative", (16, 32)), ("mse", (16, 32))])
def test_scores_and_maps_have_the_documented_form(tmp_path, method, size):
    judged = CaePredictor(make_bundle(tmp_path, method)).judge(inputs())
    assert len(judged) == 3
    for image in judged:
        assert image.heat.shape == size
        assert image.heat.dtype == np.float32
        assert image.heat.min() >= 0
        assert image.heat.max() <= 1
        assert np.isfinite(image.pred_score)


def test_the_same_picture_gives_the_same_answer_whatever_it_is_judged_with(tmp_path):
    predictor = CaePredictor(make_bundle(tmp_path))
    batch = inputs()
    together, (alone,) = predictor.judge(batch), predictor.judge(batch[1:2])
    for first, second in zip(predictor.judge(batch), together, strict=True):
        np.testing.assert_array_equal(first.heat, second.heat)
    # A batch may be summed in another order: equal to rounding, not to the bit.
    np.testing.assert_allclose(alone.heat, together[1].heat, atol=1e-5)
    assert alone.pred_score == pytest.approx(together[1].pred_score, abs=1e-5)


def test_a_map_does_not_depend_on_the_pictures_beside_it(tmp_path):
    """The scale is fixed: a hot picture in the batch leaves a cool one dark."""
    predictor = CaePredictor(make_bundle(tmp_path, "mse"))
    cool = np.zeros((1, 3, 32, 64), np.float32)
    hot = cool + 50
    beside = predictor.judge(np.concatenate([cool, hot]))[0].heat
    np.testing.assert_allclose(beside, predictor.judge(cool)[0].heat, atol=1e-5)


def test_display_scale_puts_the_threshold_at_one_half():
    maps = torch.tensor([0.0, 0.1, 0.2, 0.6, 1.0, 5.0])
    shown = to_display(maps, threshold=0.2, display_scale=1.0)
    assert shown.tolist() == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0, 1.0])


def test_score_is_the_mean_of_the_hottest_share():
    maps = torch.zeros(1, 10, 10)
    maps[0, 4, 4], maps[0, 7, 2] = 1.0, 0.5
    assert score_maps(maps, 0.02).item() == pytest.approx(0.75)
    # A share smaller than a pixel is one pixel.
    assert score_maps(maps, 0.0001).item() == pytest.approx(1.0)


def test_smoothing_keeps_the_sum_away_from_the_edges():
    maps = torch.zeros(1, 21, 21)
    maps[0, 10, 10] = 1.0
    smoothed = smooth(maps, 1.5)
    assert smoothed.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert smoothed[0, 10, 10] == smoothed.max()
    assert smoothed[0, 10, 9].item() == pytest.approx(smoothed[0, 11, 10].item())
    torch.testing.assert_close(smooth(maps, 0.0), maps)


def test_the_error_map_is_hot_where_the_reconstruction_is_wrong():
    model = ConvAutoencoder(CaeArchitecture(method="mse", **SMALL), 64, 32).eval()
    picture = torch.zeros(1, 3, 32, 64)
    picture[:, :, 8:16, 40:48] = 30.0
    with torch.inference_mode():
        raw = model.raw_map(picture)[0]
    row, column = divmod(int(raw.argmax()), raw.shape[1])
    assert 4 <= row < 8
    assert 20 <= column < 24


def test_an_input_size_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match="60x32 is not a multiple of 16"):
        ConvAutoencoder(CaeArchitecture(**SMALL), 60, 32)


def test_a_bundle_without_its_threshold_file_is_refused(tmp_path):
    bundle = make_bundle(tmp_path)
    (bundle.folder / "rgb_ae_threshold.json").unlink()
    with pytest.raises(BundleError, match=r"rgb_ae_threshold\.json"):
        load_bundle(bundle.folder, "rgb_ae")


@pytest.mark.parametrize("field", sorted(ThresholdFile.model_fields))
def test_a_missing_threshold_field_is_named(tmp_path, field):
    bundle = make_bundle(tmp_path)
    path = bundle.folder / "rgb_ae_threshold.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content[field]
    rewrite(bundle.folder, path.name, content)
    with pytest.raises(BundleError, match=rf"rgb_ae_threshold\.json, field {field}"):
        load_bundle(bundle.folder, "rgb_ae")


def rewrite(folder, name, content):
    """Change a file and the digests that protect it, as somebody who exports a bundle could."""
    import hashlib

    data = json.dumps(content).encode()
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    manifest["files"][name] = hashlib.sha256(data).hexdigest()
    del manifest["sha256"]
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    manifest["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_weights_of_another_network_are_refused(tmp_path):
    other = CaeArchitecture(**SMALL | {"latent_dim": 9})
    bundle = make_bundle(tmp_path, architecture=other.model_dump())
    with pytest.raises(BundleError, match="do not fit"):
        CaePredictor(bundle)


def test_a_display_scale_under_the_threshold_is_refused(tmp_path):
    bundle = make_bundle(tmp_path, display_scale=0.3)
    with pytest.raises(BundleError, match="display scale"):
        CaePredictor(bundle)


def test_local_contrast_is_the_same_at_any_brightness():
    torch.manual_seed(0)
    picture = 2 * torch.rand(1, 3, 96, 128)
    dark, light = (local_contrast(F.pixel_unshuffle(x, 2)) for x in (picture, 3 * picture + 0.5))
    assert dark.shape == (1, 4, 48, 64)
    assert (dark - light).abs().mean() < 0.15 * dark.abs().mean()


def test_mirror_images_give_mirrored_maps():
    arch = CaeArchitecture(flips=True, local_contrast=True, **SMALL)
    torch.manual_seed(1)
    model = ConvAutoencoder(arch, SPEC.width, SPEC.height).eval()
    picture = torch.randn(2, 3, SPEC.height, SPEC.width)
    with torch.inference_mode():
        maps = model.raw_map(picture)
        for axes in ((2,), (3,), (2, 3)):
            mirrored = model.raw_map(picture.flip(axes)).flip([axis - 1 for axis in axes])
            torch.testing.assert_close(mirrored, maps, atol=1e-5, rtol=1e-4)
        assert not torch.allclose(model.raw_map(picture, flips=False), maps)


def test_a_head_with_more_inputs_starts_as_the_one_before(tmp_path):
    bundle = make_bundle(tmp_path / "rgb_ae")
    grown = ConvAutoencoder(
        CaeArchitecture(local_contrast=True, **SMALL), SPEC.width, SPEC.height
    ).eval()
    with pytest.raises(BundleError):
        load_weights(grown, bundle)
    load_weights(grown, bundle, grow=True)
    before = ConvAutoencoder(CaeArchitecture(**SMALL), SPEC.width, SPEC.height).eval()
    load_weights(before, bundle)
    picture = torch.randn(1, 3, SPEC.height, SPEC.width)
    with torch.inference_mode():
        torch.testing.assert_close(grown.raw_map(picture), before.raw_map(picture))


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (5, 3, 0, 0), (0, 0, 4, 9)])
def test_padding_and_rim_do_not_count(padding):
    top, bottom, left, right = padding
    torch.manual_seed(2)
    picture = torch.rand(1, 3, 40, 50)
    padded = F.pad(picture, (left, right, top, bottom), mode="replicate")
    expected = torch.zeros(1, *padded.shape[2:])
    expected[:, top + 4 : top + 36, left + 4 : left + 46] = 1
    assert torch.equal(inside(padded, 4), expected)


def test_a_picture_without_any_change_is_judged_as_a_whole():
    assert inside(torch.zeros(1, 3, 16, 16), 2).min() == 1
    assert inside(torch.rand(1, 3, 16, 16), 8).min() == 1


def test_heat_in_a_damped_rim_is_a_quarter():
    torch.manual_seed(4)
    damped = ConvAutoencoder(CaeArchitecture(damped_rim=6, **SMALL), SPEC.width, SPEC.height)
    plain = ConvAutoencoder(CaeArchitecture(**SMALL), SPEC.width, SPEC.height)
    plain.load_state_dict(damped.state_dict())
    with torch.inference_mode():
        picture = torch.randn(1, 3, SPEC.height, SPEC.width)
        before, after = plain.eval().raw_map(picture), damped.eval().raw_map(picture)
    torch.testing.assert_close(after[:, 3:-3, 3:-3], before[:, 3:-3, 3:-3])
    torch.testing.assert_close(after[:, :3], 0.25 * before[:, :3])
    torch.testing.assert_close(after[:, :, -3:], 0.25 * before[:, :, -3:])
