"""A VLM and a VLG see pictures of the size that their weights were trained on."""

import json
import threading

import cv2
import numpy as np
import pytest
from builders.tiny_vlg import write_bert, write_transformers
from builders.tiny_vlm import write_tiny_vlm

from inspection.config import load_inspector
from inspection.errors import BundleError
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.installed import register_folder
from inspection.modelstore.vlg_folder import read_vlg_folder
from inspection.modelstore.vlm_folder import ANY_PIXELS, read_vlm_folder
from inspection.records import Battery, ImageRef
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings
from inspection.systems.vlg.config import load_vlg_config
from inspection.systems.vlg.lane import VlgLane
from inspection.systems.vlg.model import VlgPredictor
from inspection.systems.vlm.config import load_vlm_config
from inspection.systems.vlm.lane import VlmLane
from inspection.systems.vlm.model import VlmPredictor

pytestmark = pytest.mark.usefixtures("no_network")

VLM, VLG = load_vlm_config().limits, load_vlg_config().limits
PICTURES = np.random.default_rng(0)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return a folder of models that were trained on small pictures."""
    root = tmp_path_factory.mktemp("models")
    write_tiny_vlm(root / "vlm")
    rewrite(root / "vlm", min_pixels=65536, max_pixels=114688)
    write_transformers(root / "vlg", write_bert(root.parent / "bert"))
    rewrite(root / "vlg", size={"shortest_edge": 252, "longest_edge": 448})
    for slot, family in (("vlm", "qwen2_vl"), ("vlg", "grounding-dino")):
        register_folder(
            root / slot, slot, name="tiny", family=family, source="test", licence="none"
        )
    return root


def rewrite(folder, **changes):
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}), encoding="utf-8")


def lane_on(kind, models, root):
    policy = load_inspector()
    chooser = ImageChooser(policy.sampling, root, with_ensemble=False)
    return kind(LaneSettings(ModelFolders((models,)), root, policy, chooser, device="cpu"))


def photographed(root, name, width, height):
    """Return a battery with one view."""
    path = root / name
    pixels = PICTURES.integers(30, 255, (height, width, 3), dtype=np.uint8)
    cv2.imencode(path.suffix, pixels)[1].tofile(path)
    return Battery(
        "007", "007", "007", (), (ImageRef(path, "rgb", "007", None, 1, "cell", "pouch", None),)
    )


def inspect(lane, battery):
    result = lane.inspect(battery, threading.Event(), lambda _event: None)
    lane.close()
    assert result.state == "done", result.message
    return result


# -- the range of a VLM ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trained", "seen"),
    [
        ((3136, 12845056), (VLM.min_pixels, VLM.max_pixels, VLM.floor_pixels)),
        ((65536, 16777216), (VLM.min_pixels, VLM.max_pixels, VLM.floor_pixels)),
        ((300_000, 500_000), (300_000, 500_000, 300_000)),
        ((3136, 230_000), (VLM.min_pixels, 230_000, 230_000)),
        ((65536, 114688), (65536, 114688, 114688)),
        ((2_000_000, 3_000_000), (2_000_000, 3_000_000, 2_000_000)),
    ],
)
def test_a_vlm_sees_what_the_settings_and_its_training_allow(trained, seen):
    limits = VLM.as_trained(*trained)
    assert (limits.min_pixels, limits.max_pixels, limits.floor_pixels) == seen
    while (fewer := limits.fewer_pixels()) is not None:
        assert fewer.max_pixels >= limits.floor_pixels
        limits = fewer


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"min_pixels": 4000, "max_pixels": 9000}, (4000, 9000)),
        ({"size": {"shortest_edge": 4000, "longest_edge": 9000}}, (4000, 9000)),
        ({"size": {"longest_edge": 9000}, "max_pixels": None}, (1, 9000)),
        ({"max_pixels": 9000, "size": {"shortest_edge": 1, "longest_edge": 5}}, (1, 9000)),
        ({"size": "224"}, ANY_PIXELS),
        ({"min_pixels": True, "max_pixels": -5}, ANY_PIXELS),
        ({"min_pixels": 9000, "max_pixels": 4000}, (4000, 4000)),
    ],
)
def test_the_range_is_read_in_either_spelling(models, tmp_path, written, read):
    folder = tmp_path / "vlm"
    folder.mkdir()
    for path in (models / "vlm").iterdir():
        (folder / path.name).hardlink_to(path)
    (folder / "preprocessor_config.json").unlink()
    (folder / "preprocessor_config.json").write_text(json.dumps(written), encoding="utf-8")
    assert read_vlm_folder(folder).trained_pixels == read


def test_a_small_picture_is_not_scaled_up_beyond_the_training(models, tmp_path, monkeypatch):
    answer, seen = VlmPredictor.answer, []

    def watched(*arguments, **more):
        seen.append(answer(*arguments, **more))
        return seen[-1]

    monkeypatch.setattr(VlmPredictor, "answer", watched)
    lane = lane_on(VlmLane, models, tmp_path)
    (model,) = lane.load()
    assert model.thresholds["min_pixels"] == 65536
    assert model.thresholds["max_pixels"] == 114688
    inspect(lane, photographed(tmp_path, "small.png", 160, 430))
    assert [written.input_size for written in seen] == [(168, 420)]


def test_a_photograph_is_decoded_no_larger_than_needed(models, tmp_path, monkeypatch):
    answer, shapes = VlmPredictor.answer, []

    def watched(self, pixels, *arguments, **more):
        shapes.append(pixels.shape)
        return answer(self, pixels, *arguments, **more)

    monkeypatch.setattr(VlmPredictor, "answer", watched)
    lane = lane_on(VlmLane, models, tmp_path)
    lane.load()
    result = inspect(lane, photographed(tmp_path, "large.jpg", 2400, 1600))
    ((height, width, _),) = shapes
    assert 114688 <= width * height < 4 * 114688
    assert (result.vlm.images[0].width, result.vlm.images[0].height) == (2400, 1600)


# -- the sides of a VLG ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trained", "seen"),
    [
        ((800, 1333), (VLG.short_side, VLG.long_side, VLG.floor_short_side)),
        ((1200, 2000), (VLG.short_side, VLG.long_side, VLG.floor_short_side)),
        ((600, 1000), (600, 1000, VLG.floor_short_side)),
        ((252, 448), (252, 448, 252)),
        ((800, 448), (448, 448, VLG.floor_short_side)),
    ],
)
def test_a_vlg_sees_no_longer_sides_than_it_was_trained_with(trained, seen):
    limits = VLG.as_trained(*trained)
    assert (limits.short_side, limits.long_side, limits.floor_short_side) == seen


def test_a_vlg_is_shown_pictures_of_its_own_size(models, tmp_path, monkeypatch):
    prepare, shapes = VlgPredictor.prepare, []

    def watched(self, pixels, limits):
        prepared = prepare(self, pixels, limits)
        shapes.append((pixels.shape[:2], tuple(prepared.shape[-2:])))
        return prepared

    monkeypatch.setattr(VlgPredictor, "prepare", watched)
    lane = lane_on(VlgLane, models, tmp_path)
    (model,) = lane.load()
    assert model.thresholds["max_pixels"] == 252 * 448
    shapes.clear()
    inspect(lane, photographed(tmp_path, "large.jpg", 1920, 1080))
    ((decoded, shown),) = shapes
    assert shown == (252, 448)
    assert shown[0] <= decoded[0] < 1080
    assert decoded[1] >= shown[1]


def test_the_need_is_estimated_at_the_size_of_the_training(models):
    folder = read_vlg_folder(models / "vlg", "grounding-dino")
    limits = VLG.as_trained(*folder.trained_sides)
    assert folder.bytes_needed(limits.max_pixels) < folder.bytes_needed(VLG.max_pixels)


def test_settings_of_a_vlg_that_are_no_json_are_told(models, tmp_path):
    folder = tmp_path / "vlg"
    folder.mkdir()
    for name in ("config.json", "tokenizer_config.json", "model.safetensors"):
        (folder / name).hardlink_to(models / "vlg" / name)
    (folder / "preprocessor_config.json").write_text("[", encoding="utf-8")
    with pytest.raises(BundleError) as caught:
        read_vlg_folder(folder, "grounding-dino")
    assert caught.value.message.code == "bundle_unreadable"
