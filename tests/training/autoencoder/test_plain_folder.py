"""A plain folder: near-duplicates stay together, held-out images are judged, figures are right."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from inspection.errors import ConfigError
from inspection.images.preprocess import Preprocess
from inspection.modelstore.bundle import ThresholdFile
from inspection.modelstore.bundle_writing import write_bundle
from inspection.systems.ensemble.cae_network import CaeArchitecture, ConvAutoencoder
from training.autoencoder.config import FolderConfig
from training.autoencoder.folders import (
    HELD_OUT_NAME,
    hold_out,
    read_folder,
    read_held_out,
    write_held_out,
)
from training.autoencoder.plain_folder import PixelCounts, evaluate_folder

ARCHITECTURE = CaeArchitecture(
    method="mse", latent_dim=4, reduction=2, base=4, levels=2, smooth_sigma=1.0, top_fraction=0.01
)
SPEC = Preprocess(
    modality="rgb", width=64, height=64, channels=3, mean=(0.45,) * 3, std=(0.25,) * 3
)


def surface(part, exposure=1.0):
    """Return a speckled surface; the same part looks the same but for its brightness."""
    rng = np.random.default_rng(part)
    grain = cv2.resize(
        rng.random((12, 16)).astype(np.float32), (64, 48), interpolation=cv2.INTER_CUBIC
    )
    return np.clip(exposure * (70 + 60 * grain), 1, 255).astype(np.uint8)


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


@pytest.fixture
def data(tmp_path):
    """Ten parts at two exposures each, and holes with masks in another folder."""
    root = tmp_path / "plain"
    for part in range(10):
        for shot, exposure in enumerate((0.6, 1.3)):
            write(root / "fine" / f"part{part}_{shot}.png", surface(part, exposure))
    for part in range(3):
        image, mask = surface(100 + part), np.zeros((48, 64), np.uint8)
        image[20:26, 30:38] = 255
        mask[20:26, 30:38] = 255
        write(root / "hole" / f"{part}.jpg", image)
        write(root / "hole" / f"{part}.png", mask)
    return root


@pytest.fixture
def run(tmp_path, data):
    """A run's folder: a model that has learnt nothing but to answer with the mean."""
    out = tmp_path / "run"
    torch.manual_seed(0)
    model = ConvAutoencoder(ARCHITECTURE, SPEC.width, SPEC.height)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.zero_()
    write_bundle(
        out / "rgb_ae",
        slot="rgb_ae",
        name="tiny",
        architecture=ARCHITECTURE.model_dump(),
        labels=[],
        preprocess=SPEC,
        display_scale=60.0,
        training={},
        demo=True,
        tensors=model.state_dict(),
        threshold=ThresholdFile(
            threshold=2.0,
            method="mean_std",
            k=2.5,
            percentile=95,
            computed_from="nothing",
            num_samples=1,
            mean_error=0.0,
            std_error=0.0,
        ),
    )
    views = read_folder(data, "fine")
    write_held_out(out, data, hold_out(views, FolderConfig(test_share=0.3))[1])
    return out


def test_shots_of_one_part_are_on_one_side(data):
    views = read_folder(data, "fine")
    assert len({view.battery for view in views}) == 10
    rest, held = hold_out(views, FolderConfig())
    assert len(rest) + len(held) == 20
    assert {v.ref.path.name[:5] for v in rest}.isdisjoint(v.ref.path.name[:5] for v in held)
    assert held == hold_out(read_folder(data, "fine"), FolderConfig())[1]


def test_parts_in_a_fixture_are_split_image_by_image(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(6):
        noisy = surface(0) + rng.integers(0, 4, (48, 64)).astype(np.uint8)
        write(tmp_path / "ok" / f"{number}.png", noisy)
    assert len({view.battery for view in read_folder(tmp_path, "ok")}) == 6


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError) as error:
        read_folder(tmp_path, "fine")
    assert error.value.message.code == "ae_folder_empty"


def test_only_held_out_normals_are_judged(data, run):
    held = read_held_out(run)
    assert held is not None
    assert all(line.startswith("fine/") for line in held)
    figures = evaluate_folder(run, data)
    assert figures["images"]["n"] == len(held) + 3
    assert figures["images"]["defects"] == 3
    assert "pixels" not in figures


def test_masks_give_pixel_figures(data, run):
    figures = evaluate_folder(run, data, masks="same-stem")
    # Nothing is brighter than the holes, so even the mean picture finds them.
    assert figures["images"]["auroc"] == figures["by_folder"]["hole"]["auroc"] == 1.0
    assert figures["images"]["escape_rate"] == 0.0
    assert figures["pixels"]["auroc"] > 0.95
    assert 0.0 < figures["pixels"]["ap"] <= 1.0


def test_a_missing_mask_is_named(data, run):
    (data / "hole" / "1.png").unlink()
    with pytest.raises(ConfigError) as error:
        evaluate_folder(run, data, masks="same-stem")
    assert error.value.message.code == "ae_mask_missing"
    assert error.value.message.params["mask"] == "1.png"


def test_a_run_on_a_lot_must_be_told_what_is_normal(data, run):
    (run / HELD_OUT_NAME).unlink()
    with pytest.raises(ConfigError) as error:
        evaluate_folder(run, data)
    assert error.value.message.code == "ae_folder_normal_unknown"
    assert evaluate_folder(run, data, normal="fine")["images"]["n"] == 23


def test_any_other_folder_is_judged_whole_whatever_its_files_are_called(data, run, tmp_path):
    other = tmp_path / "other line"
    for number in range(5):
        write(other / "양품" / f"{number:04d}.png", surface(200 + number))
        write(other / "긁힘" / f"{number:04d}.png", 255 - surface(300 + number))
    with pytest.raises(ConfigError) as error:
        evaluate_folder(run, other)
    assert error.value.message.code == "ae_folder_no_normal"
    found = evaluate_folder(run, other, normal="양품")
    assert (found["images"]["n"], found["images"]["defects"]) == (10, 5)
    assert list(found["by_folder"]) == ["긁힘"]
    assert not found["normals_held_out"]
    # Called as the one that was trained on, with one of the held-out names by chance.
    held = read_held_out(run)
    for number in range(4):
        write(other / "fine" / f"{number}.png", surface(400 + number))
    write(other / held[0], surface(1))
    assert evaluate_folder(run, other)["images"]["n"] == 5 + 5 + 5
    # The folder that was trained on is judged on what was kept back, also where some is gone.
    found = evaluate_folder(run, data)
    assert found["normals_held_out"]
    assert found["images"]["n"] == len(held) + 3


def test_a_folder_without_defects_is_refused(data, run):
    for path in (data / "hole").iterdir():
        path.unlink()
    with pytest.raises(ConfigError) as error:
        evaluate_folder(run, data)
    assert error.value.message.code == "ae_folder_one_sided"


def test_counted_pixels_rank_as_all_pixels_do():
    rng = np.random.default_rng(3)
    heats = [np.clip(rng.beta(0.3, 4.0, (40, 50)), 0, 1).astype(np.float32) for _ in range(3)]
    masks = [rng.random((40, 50)) < 0.02 + 0.3 * heat for heat in heats]
    counts = PixelCounts()
    for heat, mask in zip(heats, masks, strict=True):
        counts.add(heat, mask)
    values, truth = np.concatenate(heats).ravel(), np.concatenate(masks).ravel()
    figures = counts.figures()
    assert figures["auroc"] == pytest.approx(roc_auc_score(truth, values), abs=1e-3)
    assert figures["ap"] == pytest.approx(average_precision_score(truth, values), abs=1e-3)
