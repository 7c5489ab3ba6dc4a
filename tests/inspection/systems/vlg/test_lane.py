"""The VLG's lane: from installed folders to boxes on a battery, whatever is missing or fails."""

import shutil
import threading
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from builders.tiny_vlg import write_bert, write_original, write_transformers

from inspection.classes import class_table
from inspection.config import load_inspector
from inspection.errors import BundleError
from inspection.lot.scan import scan_lot
from inspection.messages import Message
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.installed import register_folder
from inspection.predictions import ImageAnswered, ImageTaken, LaneResult
from inspection.records import Battery, Lot
from inspection.results import Box, VlgImage
from inspection.run.assemble import assemble
from inspection.run.lanes import build_lane
from inspection.synthetic import SyntheticLot, write_lot
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings, load_failure
from inspection.systems.memory import GpuBudget
from inspection.systems.vlg.config import load_vlg_config
from inspection.systems.vlg.lane import VlgLane, gather
from inspection.systems.vlg.model import VlgPredictor

IMAGES = 4
INSTALLED = load_vlg_config()
SMALL = {"short_side": 128, "long_side": 200, "floor_short_side": 64}
CONFIG = INSTALLED.model_copy(update={"limits": INSTALLED.limits.model_copy(update=SMALL)})


@pytest.fixture(autouse=True)
def small_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show the model small images, so that a test takes a moment."""
    monkeypatch.setattr("inspection.systems.vlg.lane.load_vlg_config", lambda: CONFIG)


def installed(folder: Path, slot, family: str) -> None:
    register_folder(folder, slot, name=f"tiny {slot}", family=family, source="test", licence="none")


@pytest.fixture(scope="module")
def lot(tmp_path_factory) -> Lot:
    spec = SyntheticLot(batteries=1, slices=3, views=2, canvas=160, seed=3, defects=1.0)
    return scan_lot(write_lot(tmp_path_factory.mktemp("lots") / "lot", spec))


@pytest.fixture(scope="module")
def makers(tmp_path_factory) -> Path:
    """A models folder with a VLG in its makers' layout, and BERT."""
    models = tmp_path_factory.mktemp("makers")
    bert = write_bert(models / "bert")
    write_original(models / "vlg", bert)
    installed(models / "bert", "bert", "bert")
    installed(models / "vlg", "vlg", "groundingdino")
    return models


@pytest.fixture(scope="module")
def hugging(tmp_path_factory, makers) -> Path:
    """A models folder with the same VLG as Hugging Face lays it out."""
    models = tmp_path_factory.mktemp("hugging")
    write_transformers(models / "vlg", makers / "bert")
    installed(models / "vlg", "vlg", "grounding-dino")
    return models


def settings(models: Path, lot_root: Path, **others) -> LaneSettings:
    policy = load_inspector()
    chooser = ImageChooser(policy.sampling, lot_root, with_ensemble=False)
    return LaneSettings(
        ModelFolders((models,)), lot_root, policy, chooser, **{"device": "cpu", **others}
    )


def inspect(lane, battery: Battery, cancel=None) -> tuple[LaneResult, list]:
    events: list = []
    said = lane.inspect(battery, cancel or threading.Event(), events.append)
    lane.close()
    return said, events


def loaded(models: Path, lot: Lot, **others) -> VlgLane:
    lane = VlgLane(settings(models, lot.root, **others))
    lane.load()
    return lane


def copy_of(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


@pytest.mark.parametrize("layout", ["makers", "hugging"])
def test_a_battery_gets_boxes_with_names_and_scores(request, lot, layout, no_network):
    lane = build_lane("vlg", settings(request.getfixturevalue(layout), lot.root))
    lane.load()
    battery = lot.batteries[0]
    said, events = inspect(lane, battery)
    assert said.state == "done", said.message
    result = said.vlg
    assert [image.image for image in result.images] == said.chosen.images
    assert len(result.images) == IMAGES
    assert all(image.state == "done" for image in result.images)
    assert result.bboxes
    assert result.scores == sorted(result.scores, reverse=True)
    assert min(result.scores) >= CONFIG.limits.box_threshold
    for image in result.images:
        types = CONFIG.defect_types(image.modality, battery.battery_type)
        assert [types[phrase] for phrase in image.phrases] == image.defect_types
        assert len(image.bboxes) == len(image.scores) == len(image.phrases)
        assert all(box.x + box.w <= image.width for box in image.bboxes)
        assert all(box.y + box.h <= image.height for box in image.bboxes)
    assert sum(len(image.bboxes) for image in result.images) == len(result.box_images)
    assert [type(event) for event in events] == [ImageTaken, ImageAnswered] * IMAGES
    assert assemble(battery, {"vlg": said}).vlg == result


def test_both_layouts_of_the_same_weights_say_the_same(makers, hugging, lot):
    one, other = (inspect(loaded(m, lot), lot.batteries[0])[0].vlg for m in (makers, hugging))
    assert one.defect_types == other.defect_types
    assert one.box_images == other.box_images
    for mine, theirs in zip(one.bboxes, other.bboxes, strict=True):
        corners = [(b.x, b.y, b.w, b.h) for b in (mine, theirs)]
        assert corners[0] == pytest.approx(corners[1], abs=1)


def test_the_session_can_tell_what_judged(makers, hugging, lot):
    detector, bert = VlgLane(settings(makers, lot.root)).load()
    assert (detector.slot, detector.name, bert.slot) == ("vlg", "tiny vlg", "bert")
    assert detector.prompt == CONFIG.identity()
    assert detector.thresholds["box_threshold"] == CONFIG.limits.box_threshold
    assert detector.device == bert.device == "cpu"
    assert detector.versions["groundingdino-py"] == version("groundingdino-py")
    (alone,) = VlgLane(settings(hugging, lot.root)).load()
    assert set(alone.versions) == {"torch", "transformers"}


def test_an_empty_slot_is_not_installed(tmp_path, lot):
    with pytest.raises(BundleError) as caught:
        VlgLane(settings(tmp_path, lot.root)).load()
    state, message = load_failure("vlg", caught.value)
    assert (state, message.text()) == ("not_installed", "VLG: model not installed.")


def test_a_missing_text_encoder_is_named(tmp_path, makers, lot):
    copy_of(makers / "vlg", tmp_path / "vlg")
    with pytest.raises(BundleError) as caught:
        VlgLane(settings(tmp_path, lot.root)).load()
    state, message = load_failure("vlg", caught.value)
    assert state == "not_installed"
    assert "bert-base-uncased" in message.text("en")
    assert "bert 슬롯" in message.text("ko")


def test_what_fits_no_memory_is_refused_before_it_is_loaded(makers, lot, monkeypatch):
    monkeypatch.setattr("inspection.systems.placed_model.free_ram", lambda: 1 << 20)
    monkeypatch.setattr(VlgPredictor, "__init__", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(BundleError, match="GB of memory"):
        VlgLane(settings(makers, lot.root)).load()


def test_an_image_that_cannot_be_read_stops_no_other(tmp_path, makers, lot):
    root = copy_of(lot.root, tmp_path / "lot")
    battery = scan_lot(root).batteries[0]
    battery.rgb[0].path.write_bytes(b"not an image")
    lane = VlgLane(settings(makers, root))
    lane.load()
    said, _ = inspect(lane, battery)
    assert said.state == "done"
    assert [image.state for image in said.vlg.images].count("failed") == 1
    failed = next(image for image in said.vlg.images if image.state == "failed")
    assert failed.error is not None
    assert failed.bboxes == []


def test_where_no_image_can_be_read_the_lane_has_failed(tmp_path, makers, lot):
    root = copy_of(lot.root, tmp_path / "lot")
    battery = scan_lot(root).batteries[0]
    for ref in (*battery.ct, *battery.rgb):
        ref.path.write_bytes(b"not an image")
    lane = VlgLane(settings(makers, root))
    lane.load()
    said, _ = inspect(lane, battery)
    assert (said.state, said.vlg) == ("failed", None)
    assert said.message is not None


def test_a_cancel_ends_the_battery(makers, lot):
    lane = loaded(makers, lot)
    cancel = threading.Event()
    events: list = []

    def cancel_at_first(event) -> None:
        events.append(event)
        cancel.set()

    said = lane.inspect(lot.batteries[0], cancel, cancel_at_first)
    lane.close()
    assert (said.state, said.vlg) == ("cancelled", None)
    assert [type(event) for event in events] == [ImageTaken]


def test_out_of_memory_fewer_pixels_are_looked_at(makers, lot, monkeypatch):
    prepare, widths = VlgPredictor.prepare, []

    def scarce(self, pixels, limits):
        widths.append(limits.max_pixels)
        if limits.max_pixels == CONFIG.limits.max_pixels:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return prepare(self, pixels, limits)

    monkeypatch.setattr(VlgPredictor, "prepare", scarce)
    lane = loaded(makers, lot)
    # At loading it was tried on small pictures.
    widths.clear()
    said, _ = inspect(lane, lot.batteries[0])
    assert said.state == "done"
    fewer = CONFIG.limits.fewer_pixels().max_pixels
    assert said.memory_steps == (Message(code="memory_step_pixels", params={"pixels": fewer}),)
    assert widths[1:] == [fewer] * IMAGES


def test_a_gpu_too_small_is_left_for_the_cpu(makers, lot, monkeypatch):
    monkeypatch.setattr("inspection.systems.placed_model.resolve_device", lambda _device: "cuda")
    lane = loaded(makers, lot, device="cuda", gpu=GpuBudget(1 << 30))
    said, _ = inspect(lane, lot.batteries[0])
    assert [step.code for step in said.memory_steps] == ["model_on_cpu"]


def test_boxes_of_all_images_are_sorted_together():
    def image(name, *scores):
        boxes = [Box(x=0, y=0, w=1, h=1, score=score) for score in scores]
        return VlgImage(
            image=name, modality="rgb", number=1, state="done", bboxes=boxes,
            scores=list(scores), defect_types=[class_table().rgb_defects[0]] * len(scores),
            phrases=["dirt"] * len(scores),
        )  # fmt: skip

    result = gather([image("a", 0.9, 0.4), image("b"), image("c", 0.6)])
    assert result.scores == [0.9, 0.6, 0.4]
    assert result.box_images == ["a", "c", "a"]
    assert [box.score for box in result.bboxes] == result.scores


@pytest.mark.parametrize("change", ["no number", "the same for every picture"])
def test_a_model_whose_answers_say_nothing_is_not_used(makers, hugging, lot, tmp_path, change):
    """Boxes that are no numbers would read as: nothing found."""
    from safetensors.torch import load_file, save_file

    models = tmp_path / "models"
    shutil.copytree(hugging, models)
    tensors = load_file(models / "vlg" / "model.safetensors")
    for name, tensor in tensors.items():
        if change == "no number" and name.endswith("enc_output.weight"):
            tensor.fill_(torch.nan)
        if change != "no number" and "input_proj_vision" in name:
            tensor.zero_()
    save_file(tensors, models / "vlg" / "model.safetensors", metadata={"format": "pt"})
    (models / "vlg" / "model.json").unlink()
    installed(models / "vlg", "vlg", "grounding-dino")
    lane = VlgLane(settings(models, lot.root))
    with pytest.raises(BundleError) as refused:
        lane.load()
    codes = {"no number": "vlg_not_loaded", "the same for every picture": "model_answers_alike"}
    assert refused.value.message.code == codes[change]
    assert lane.placed is None
