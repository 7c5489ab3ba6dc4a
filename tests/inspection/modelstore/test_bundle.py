"""Model folders: written whole, verified before use, refused with one sentence that names why."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from inspection.errors import BundleError, ModelMissingError
from inspection.images.preprocess import Preprocess
from inspection.modelstore.bundle import (
    MANIFEST_NAME,
    WEIGHTS_NAME,
    Bundle,
    ThresholdFile,
    find_bundle,
    load_bundle,
)
from inspection.modelstore.bundle_writing import write_bundle
from inspection.modelstore.folders import Slot

THRESHOLD = ThresholdFile(
    threshold=0.02,
    method="mean_std",
    k=2.5,
    percentile=None,
    computed_from="val",
    num_samples=120,
    mean_error=0.01,
    std_error=0.004,
)


def write(folder: Path, slot: Slot = "rgb_ae", **changes: object) -> Bundle:
    values: dict[str, object] = {
        "slot": slot,
        "name": "test",
        "architecture": {"latent_dim": 8},
        "labels": [],
        "preprocess": Preprocess(
            modality="rgb", width=8, height=8, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3
        ),
        "display_scale": 0.1,
        "training": {"seed": 1},
        "demo": True,
        "tensors": {"w": torch.tensor([[1.0, -2.5]]), "stat": torch.tensor([1e6])},
        "threshold": THRESHOLD,
    }
    return write_bundle(folder, **{**values, **changes})  # type: ignore[arg-type]


def refusal(folder: Path, slot: Slot = "rgb_ae") -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder, slot)
    return caught.value.message.text("en")


def test_a_written_bundle_reads_back(tmp_path: Path) -> None:
    written = write(tmp_path / "rgb_ae")
    read = find_bundle(tmp_path, "rgb_ae")
    assert read == written
    assert read.threshold == THRESHOLD
    tensors = read.load_tensors()
    assert tensors["w"].tolist() == [[1.0, -2.5]]
    assert tensors["w"].dtype == torch.float32
    # A running statistic beyond the range of half precision survives.
    assert tensors["stat"].tolist() == [1e6]


def test_a_new_bundle_replaces_the_old_one_and_leaves_nothing_behind(tmp_path: Path) -> None:
    old = write(tmp_path / "rgb_ae")
    new = write(tmp_path / "rgb_ae", display_scale=0.2)
    assert new.sha256 != old.sha256
    assert load_bundle(tmp_path / "rgb_ae", "rgb_ae").manifest.display_scale == 0.2
    assert [path.name for path in tmp_path.iterdir()] == ["rgb_ae"]


def test_half_precision_overflow_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="w does not fit"):
        write(tmp_path / "rgb_ae", tensors={"w": torch.full((2, 2), 1e6)})
    assert not (tmp_path / "rgb_ae").exists()


@pytest.mark.parametrize("name", [MANIFEST_NAME, WEIGHTS_NAME, "rgb_ae_threshold.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "rgb_ae").folder
    (folder / name).unlink()
    assert name in refusal(folder)


@pytest.mark.parametrize("name", [WEIGHTS_NAME, "rgb_ae_threshold.json"])
def test_an_altered_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "rgb_ae").folder
    data = bytearray((folder / name).read_bytes())
    data[-3] ^= 1
    (folder / name).write_bytes(bytes(data))
    sentence = refusal(folder)
    assert name in sentence
    assert "checksum" in sentence


def test_an_altered_manifest_is_noticed(tmp_path: Path) -> None:
    folder = write(tmp_path / "rgb_ae").folder
    path = folder / MANIFEST_NAME
    path.write_text(path.read_text("utf-8").replace('"display_scale": 0.1', '"display_scale": 9'))
    assert f"{MANIFEST_NAME} does not match" in refusal(folder)


def edited(folder: Path, **changes: object) -> str:
    path = folder / MANIFEST_NAME
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**content, **changes}), encoding="utf-8")
    return refusal(folder)


def test_manifest_fields_are_checked_and_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "rgb_ae").folder
    assert "threshold_file is required" in edited(folder, threshold_file=None)
    assert "colour" in edited(folder, threshold_file="rgb_ae_threshold.json", colour="red")


def test_a_manifest_cannot_point_outside_its_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "rgb_ae").folder
    assert "plain file name" in edited(folder, files={"../secret": "0" * 64})


def test_a_manifest_that_is_no_json_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "rgb_ae").folder
    (folder / MANIFEST_NAME).write_text("[1, 2", encoding="utf-8")
    assert "cannot be read" in refusal(folder)
    (folder / MANIFEST_NAME).write_text("[1, 2]", encoding="utf-8")
    assert MANIFEST_NAME in refusal(folder)


def test_a_threshold_field_that_is_missing_is_named(tmp_path: Path) -> None:
    # Signed with right checksums: made so, not altered.
    folder = write(tmp_path / "rgb_ae").folder
    path = folder / "rgb_ae_threshold.json"
    content = json.loads(path.read_text("utf-8"))
    del content["std_error"]
    path.write_text(json.dumps(content), encoding="utf-8")
    resign(folder)
    sentence = refusal(folder)
    assert "rgb_ae_threshold.json" in sentence
    assert "std_error" in sentence


def resign(folder: Path) -> None:
    import hashlib

    path = folder / MANIFEST_NAME
    content = json.loads(path.read_text("utf-8"))
    for name in content["files"]:
        content["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    del content["sha256"]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    content["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    path.write_text(json.dumps(content), encoding="utf-8")


def test_an_autoencoder_is_never_written_without_a_threshold(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="threshold_file is required"):
        write(tmp_path / "rgb_ae", threshold=None)


def test_another_slots_model_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "rgb_ae").folder
    sentence = refusal(folder, "ct_cnn")
    assert "ct_cnn" in sentence
    assert "rgb_ae" in sentence


def test_a_slot_without_a_folder_is_not_installed(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError) as caught:
        find_bundle(tmp_path, "ct_cnn")
    assert caught.value.message.code == "model_not_installed"


def test_reading_a_manifest_needs_no_torch(tmp_path: Path) -> None:
    write(tmp_path / "rgb_ae")
    script = (
        "import sys; from pathlib import Path; "
        "from inspection.modelstore.bundle import find_bundle; "
        f"find_bundle(Path({str(tmp_path)!r}), 'rgb_ae'); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
