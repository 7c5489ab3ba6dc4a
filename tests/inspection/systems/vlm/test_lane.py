"""The VLM's lane: the chosen images, one answer each, and whatever goes wrong with one of them."""

import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from builders.tiny_vlm import CT_ANSWER, RGB_ANSWER, write_tiny_vlm

from inspection.config import load_inspector
from inspection.errors import BundleError, InspectionError, ModelMissingError
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.installed import register_folder
from inspection.predictions import ImageAnswered, ImageTaken, PartialAnswer
from inspection.records import Battery, ImageRef
from inspection.results import Box, ChosenImages, VlgImage
from inspection.run.assemble import LaneResults, assemble
from inspection.run.lanes import build_lane
from inspection.systems import placed_model
from inspection.systems.image_choice import ImageChooser
from inspection.systems.lane import LaneSettings, inspect_safely, load_failure
from inspection.systems.memory import ENSEMBLE_BYTES, GpuBudget, Ladder
from inspection.systems.vlg.lane import VlgLane
from inspection.systems.vlm import lane as vlm_lane
from inspection.systems.vlm.config import load_vlm_config
from inspection.systems.vlm.model import VlmPredictor

pytestmark = pytest.mark.usefixtures("no_network")

CONFIG = load_vlm_config()
LIMITS = CONFIG.limits.model_copy(
    update={"max_pixels": 112 * 112, "min_pixels": 56 * 56, "floor_pixels": 56 * 56}
)
NOISE = np.random.default_rng(0).integers(30, 255, (60, 80, 3), dtype=np.uint8)


def limit(monkeypatch, limits):
    config = CONFIG.model_copy(update={"limits": limits})
    monkeypatch.setattr(vlm_lane, "load_vlm_config", lambda: config)


@pytest.fixture(autouse=True)
def few_pixels(monkeypatch):
    limit(monkeypatch, LIMITS)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return a folder of models in which a small VLM is installed."""
    root = tmp_path_factory.mktemp("모델")
    install(write_tiny_vlm(root / "vlm"))
    return root


def install(folder):
    register_folder(
        folder, "vlm", name="tiny-vlm", family="qwen2_vl", source="test", licence="none"
    )


@pytest.fixture
def battery(tmp_path):
    """Return a battery of two slices and two views."""
    return Battery("007", "007", "007", images(tmp_path, "ct"), images(tmp_path, "rgb"))


def images(root, modality, count=2):
    refs = []
    for number in range(count):
        path = root / f"{modality}-{number}.png"
        cv2.imencode(".png", NOISE)[1].tofile(path)
        refs.append(ImageRef(path, modality, "007", None, number, "cell", "pouch", None))
    return tuple(refs)


@pytest.fixture
def lane_on(models, tmp_path):
    """Return a maker of loaded lanes."""
    made = []

    def load(folder=models, **more):
        lane = build_lane("vlm", settings_for(folder, tmp_path, **more))
        lane.provenance = lane.load()
        made.append(lane)
        return lane

    yield load
    for lane in made:
        lane.close()


def settings_for(folder, root, **more):
    policy = load_inspector()
    chooser = ImageChooser(policy.sampling, root, with_ensemble=False)
    return LaneSettings(ModelFolders((folder,)), root, policy, chooser, **{"device": "cpu", **more})


def inspect(lane, battery, *, cancel=None, on_event=lambda event: None):
    return lane.inspect(battery, cancel or threading.Event(), on_event)


def codes(messages):
    return [message.code for message in messages]


def test_every_chosen_image_is_answered_and_a_defect_decides(lane_on, battery):
    events = []
    result = inspect(lane_on(), battery, on_event=events.append)
    assert (result.state, result.message, result.memory_steps) == ("done", None, ())
    assert result.chosen.images == ["ct-0.png", "ct-1.png", "rgb-0.png", "rgb-1.png"]
    assert [image.image for image in result.vlm.images] == result.chosen.images
    assert [image.answer for image in result.vlm.images] == [CT_ANSWER] * 2 + [RGB_ANSWER] * 2
    assert [image.prediction for image in result.vlm.images] == ["defect"] * 2 + ["normal"] * 2
    assert (result.vlm.prediction, result.vlm.defect_type) == ("defect", "cell_porosity")
    assert (result.vlm.image, result.vlm.confidence) == ("ct-0.png", 0.9)
    assert result.vlm.bbox == [Box(x=20, y=15, w=20, h=30)]
    assert {(image.width, image.height) for image in result.vlm.images} == {(80, 60)}
    assert all(0 < image.seconds <= result.seconds for image in result.vlm.images)
    assert told_in_order(events, [*battery.ct, *battery.rgb])
    # A later run asks nobody again what is on the disk.
    kept = LaneResults.of(assemble(battery, {"vlm": result}))["vlm"]
    assert (kept.vlm, kept.chosen) == (result.vlm, result.chosen)


def told_in_order(events, refs):
    """Tell whether each image was taken, written on and answered before the next one."""
    for ref in refs:
        count = next(i for i, event in enumerate(events) if isinstance(event, ImageAnswered))
        taken, *texts, answered = events[: count + 1]
        assert isinstance(taken, ImageTaken)
        assert all(isinstance(event, PartialAnswer) for event in texts)
        assert texts[-1].text == answered.answer.answer
        assert {event.image for event in (taken, *texts, answered)} == {ref}
        del events[: count + 1]
    return events == []


def test_the_session_learns_what_judged_and_what_it_was_asked(lane_on, models):
    (model,) = lane_on().provenance
    assert (model.slot, model.name, model.device) == ("vlm", "tiny-vlm", "cpu")
    assert model.prompt.startswith("v1 sha256:")
    assert set(model.versions) == {"torch", "transformers"}
    assert model.thresholds["max_pixels"] == LIMITS.max_pixels


def test_both_languages_are_asked_without_loading_again(lane_on, battery, monkeypatch):
    asked = []
    answer = VlmPredictor.answer

    def listen(self, pixels, prompt, limits, **more):
        asked.append(prompt)
        return answer(self, pixels, prompt, limits, **more)

    monkeypatch.setattr(VlmPredictor, "answer", listen)
    lane = lane_on()
    inspect(lane, battery)
    korean = replace(lane.settings, language="ko")
    assert korean.same_models(lane.settings)
    lane.settings = korean
    inspect(lane, battery)
    assert ["Answer with one JSON" in prompt for prompt in asked] == [True] * 4 + [False] * 4
    assert ["한국어로" in prompt for prompt in asked] == [False] * 4 + [True] * 4


def test_the_other_lane_of_the_run_sees_the_same_images(lane_on, battery):
    lane = lane_on()
    lane.settings.chooser.set_worst("007", ["ct-1.png"], [])
    result = inspect(lane, battery)
    seen = []

    class OtherLane(VlgLane):
        def answer(self, placed, shown, cancel, on_text):
            seen.append(shown.name)
            return VlgImage(**shown.identity(), state="done")

    other = OtherLane(lane.settings)
    other.placed = SimpleNamespace(ladder=Ladder([]), max_pixels=1000)
    said = inspect(other, battery)
    assert seen == [image.image for image in said.vlg.images] == result.chosen.images
    assert said.chosen == result.chosen
    assert seen[0] == "ct-1.png"


def test_an_image_chosen_earlier_that_is_gone_is_not_replaced_by_another(lane_on, battery):
    lane = lane_on()
    chosen = ChosenImages(method="even", images=["ct-0.png", "ct-9.png"])
    lane.settings.chooser.set_chosen("007", chosen)
    result = inspect_safely(lane, battery, threading.Event(), lambda event: None)
    assert (result.state, result.message.code) == ("failed", "chosen_image_gone")
    assert result.message.params == {"name": "ct-9.png"}


# -- what cannot be judged -------------------------------------------------------------------


def test_an_answer_that_cannot_be_read_is_shown_raw_and_is_for_review(lane_on, tmp_path, battery):
    folder = tmp_path / "models" / "vlm"
    install(write_tiny_vlm(folder, ct_answer="Rosebud.", rgb_answer="Winter!"))
    result = inspect(lane_on(folder.parent), battery)
    assert {(image.form, image.prediction) for image in result.vlm.images} == {("unread", "review")}
    assert result.vlm.prediction == "review"
    assert result.vlm.explanation == "Rosebud."


def test_a_normal_answer_that_was_cut_off_is_for_review(lane_on, battery, monkeypatch):
    limit(monkeypatch, LIMITS.model_copy(update={"max_new_tokens": 37}))
    result = inspect(lane_on(), replace(battery, ct=()))
    assert {image.answer for image in result.vlm.images} == {RGB_ANSWER}
    assert result.vlm.prediction == "review"


def test_an_unreadable_image_stops_no_other_and_the_battery_is_not_normal(lane_on, battery):
    battery.rgb[0].path.write_bytes(b"no picture")
    result = inspect(lane_on(), replace(battery, ct=()))
    broken, whole = result.vlm.images
    assert (broken.state, broken.prediction, broken.answer) == ("failed", None, "")
    assert broken.error.text("ko") != broken.error.text("en")
    assert (whole.state, whole.prediction) == ("done", "normal")
    assert (result.state, result.vlm.prediction, result.vlm.image) == ("done", "review", None)


def test_where_no_image_can_be_judged_the_lane_has_failed(lane_on, battery):
    for ref in battery.rgb:
        ref.path.unlink()
    result = inspect(lane_on(), replace(battery, ct=()))
    assert (result.state, result.message.code, result.vlm) == ("failed", "image_missing", None)
    empty = inspect(lane_on(), Battery("008", None, None))
    assert (empty.state, empty.message.code) == ("failed", "no_image_to_look_at")


def test_an_image_too_narrow_for_the_model_is_named(lane_on, battery):
    strip = np.full((8, 4000), 90, np.uint8)
    strip[:, ::2] = 200
    cv2.imencode(".png", strip)[1].tofile(battery.ct[0].path)
    result = inspect(lane_on(), battery)
    error = result.vlm.images[0].error
    assert (error.code, error.params["width"]) == ("vlm_image_too_narrow", 4000)
    assert (result.state, result.vlm.prediction) == ("done", "defect")


def test_an_error_nobody_foresaw_costs_one_image(lane_on, battery, monkeypatch):
    answer, calls = VlmPredictor.answer, []

    def stumble(self, *arguments, **more):
        calls.append(None)
        if len(calls) == 1:
            raise IndexError("index 7 is out of bounds\nfor dimension 0")
        return answer(self, *arguments, **more)

    monkeypatch.setattr(VlmPredictor, "answer", stumble)
    result = inspect(lane_on(), replace(battery, ct=()))
    error = result.vlm.images[0].error
    assert error.code == "image_not_judged"
    assert error.params["problem"] == "IndexError: index 7 is out of bounds"
    assert result.vlm.prediction == "review"


# -- cancel ----------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [ImageTaken, PartialAnswer, ImageAnswered])
def test_a_cancel_is_heeded_at_once_and_leaves_no_half_answer(lane_on, battery, moment):
    cancel, events = threading.Event(), []

    def on_event(event):
        events.append(event)
        if isinstance(event, moment):
            cancel.set()

    result = inspect(lane_on(), battery, cancel=cancel, on_event=on_event)
    assert (result.state, result.message.code) == ("cancelled", "cancelled_by_operator")
    assert result.vlm is None
    assert sum(isinstance(event, ImageTaken) for event in events) == 1
    assert sum(isinstance(event, ImageAnswered) for event in events) == (moment is ImageAnswered)
    if moment is not ImageAnswered:
        assert sum(isinstance(event, PartialAnswer) for event in events) <= 1


# -- memory ----------------------------------------------------------------------------------


def run_out_above(monkeypatch, pixels):
    answer = VlmPredictor.answer

    def fill(self, image, prompt, limits, **more):
        if limits.max_pixels > pixels:
            raise MemoryError
        return answer(self, image, prompt, limits, **more)

    monkeypatch.setattr(VlmPredictor, "answer", fill)


def test_where_memory_runs_out_pixels_are_given_up_once_and_for_good(lane_on, battery, monkeypatch):
    widest = LIMITS.max_pixels
    run_out_above(monkeypatch, widest // 2)
    lane = lane_on()
    first, second = inspect(lane, battery), inspect(lane, replace(battery, battery_id="008"))
    assert (first.state, first.vlm.prediction) == ("done", "defect")
    assert codes(first.memory_steps) == ["memory_step_pixels"]
    assert first.memory_steps[0].params == {"pixels": widest // 2}
    assert second.memory_steps == first.memory_steps


def test_with_nothing_left_to_give_up_the_lane_fails_with_what_it_tried(
    lane_on, battery, monkeypatch
):
    run_out_above(monkeypatch, 0)
    result = inspect(lane_on(), battery)
    assert (result.state, result.message.code) == ("failed", "memory_exhausted")
    assert codes(result.memory_steps) == ["memory_step_pixels"] * 2


class OnTheGpu(VlmPredictor):
    """Says that it is on a GPU, and computes on the CPU all the same."""

    room_to_load, room_to_write = True, True

    def __init__(self, folder, device):
        if device == "cuda" and not self.room_to_load:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        super().__init__(folder, "cpu")
        self.pretends = device == "cuda"

    def move_to_cpu(self):
        super().move_to_cpu()
        self.pretends = False

    def answer(self, *arguments, **more):
        if self.pretends and not self.room_to_write:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().answer(*arguments, **more)


@pytest.fixture
def gpu(monkeypatch):
    """Pretend a GPU of 8 GB."""
    monkeypatch.setattr(placed_model, "resolve_device", lambda device: "cuda")
    monkeypatch.setattr(vlm_lane, "VlmPredictor", OnTheGpu)
    monkeypatch.setattr(OnTheGpu, "room_to_load", True)
    monkeypatch.setattr(OnTheGpu, "room_to_write", True)
    return GpuBudget(8 << 30)


def test_a_model_that_fits_reserves_its_part_until_it_is_closed(lane_on, battery, gpu):
    before = gpu.free_for("vlg")
    lane = lane_on(gpu=gpu)
    assert lane.provenance[0].device == "cuda"
    assert gpu.free_for("vlg") < before
    assert inspect(lane, battery).memory_steps == ()
    lane.close()
    assert gpu.free_for("vlg") == before


def test_a_model_that_does_not_fit_the_gpu_goes_to_the_cpu_and_says_so(lane_on, battery, gpu):
    lane = lane_on(gpu=GpuBudget(ENSEMBLE_BYTES + 1000))
    assert lane.provenance[0].device == "cpu"
    (step,) = inspect(lane, battery).memory_steps
    assert (step.code, step.params["name"]) == ("model_on_cpu", "tiny-vlm")


def test_a_gpu_that_fills_while_loading_is_left(lane_on, battery, gpu, monkeypatch):
    monkeypatch.setattr(OnTheGpu, "room_to_load", False)
    free = gpu.free_for("vlm")
    lane = lane_on(gpu=gpu)
    assert lane.provenance[0].device == "cpu"
    assert gpu.free_for("vlg") == free
    result = inspect(lane, battery)
    assert (result.state, codes(result.memory_steps)) == ("done", ["memory_step_cpu"])


def test_a_gpu_that_fills_while_writing_is_left_last(lane_on, battery, gpu, monkeypatch):
    monkeypatch.setattr(OnTheGpu, "room_to_write", False)
    free = gpu.free_for("vlg")
    result = inspect(lane_on(gpu=gpu), battery)
    assert (result.state, result.vlm.prediction) == ("done", "defect")
    assert codes(result.memory_steps) == ["memory_step_pixels"] * 2 + ["memory_step_cpu"]
    assert gpu.free_for("vlg") == free


def test_a_model_that_cannot_leave_the_gpu_keeps_its_part_and_tries_again(
    lane_on, battery, gpu, monkeypatch
):
    monkeypatch.setattr(OnTheGpu, "room_to_write", False)
    lane = lane_on(gpu=gpu)
    free = gpu.free_for("vlg")
    with monkeypatch.context() as full:
        full.setattr(placed_model, "free_ram", lambda: 1 << 20)
        result = inspect(lane, battery)
    assert (result.state, result.message.code) == ("failed", "model_does_not_fit")
    assert gpu.free_for("vlg") == free
    result = inspect(lane, battery)
    assert (result.state, codes(result.memory_steps)[-1]) == ("done", "memory_step_cpu")
    assert gpu.free_for("vlg") > free


def test_what_fits_nowhere_is_refused_before_its_weights_are_opened(
    models, tmp_path, gpu, monkeypatch
):
    folder = shutil.copytree(models / "vlm", tmp_path / "models" / "vlm")
    # Loading would stumble over this file first.
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    install(folder)
    monkeypatch.setattr(placed_model, "free_ram", lambda: 1 << 20)
    small = GpuBudget(ENSEMBLE_BYTES + 1000)
    lane = build_lane("vlm", settings_for(folder.parent, tmp_path, gpu=small))
    with pytest.raises(BundleError) as caught:
        lane.load()
    assert caught.value.message.code == "model_does_not_fit"
    state, message = load_failure("vlm", caught.value)
    assert state == "failed"
    assert "tiny-vlm needs about 0.3 GB" in message.text("en")
    monkeypatch.undo()
    with pytest.raises(InspectionError, match="cannot be loaded"):
        build_lane("vlm", settings_for(folder.parent, tmp_path)).load()


def test_a_model_that_cannot_be_loaded_gives_its_part_of_the_gpu_back(models, tmp_path, gpu):
    folder = shutil.copytree(models / "vlm", tmp_path / "models" / "vlm")
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    install(folder)
    free = gpu.free_for("vlg")
    with pytest.raises(BundleError):
        build_lane("vlm", settings_for(folder.parent, tmp_path, gpu=gpu)).load()
    assert gpu.free_for("vlg") == free


# -- what is installed -----------------------------------------------------------------------


def test_without_a_model_the_lane_is_not_installed(tmp_path):
    lane = build_lane("vlm", settings_for(tmp_path, tmp_path))
    with pytest.raises(ModelMissingError) as caught:
        lane.load()
    state, message = load_failure("vlm", caught.value)
    assert (state, message.text("en")) == ("not_installed", "VLM: model not installed.")


def test_a_folder_that_was_not_installed_here_is_refused(models, tmp_path):
    folder = shutil.copytree(models / "vlm", tmp_path / "models" / "vlm")
    (folder / "model.json").unlink()
    with pytest.raises(BundleError) as caught:
        build_lane("vlm", settings_for(folder.parent, tmp_path)).load()
    assert caught.value.message.code == "model_not_registered"


INSPECT_ALONE = """
import sys
from pathlib import Path
from app.__main__ import app
from inspection.console import run
from inspection.synthetic import SyntheticLot, write_lot

root = Path(sys.argv[1])
lot = write_lot(root / "lot", SyntheticLot(batteries=1, slices=3, views=1, seed=1), workers=1)
code = run(app, "station", ["inspect", str(lot), "--session-dir", str(root / "sessions"),
                            "--systems", "ensemble", "--json"])
print(code, sorted({"transformers", "groundingdino"} & sys.modules.keys()), file=sys.stderr)
"""


@pytest.mark.long
def test_the_ensemble_alone_never_imports_transformers(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", INSPECT_ALONE, str(tmp_path)],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "0 []"


IMPORT_SIDE_BY_SIDE = """
import threading
from inspection.systems.pretrained import import_transformers

NAMES = ("Qwen2VLConfig", "GroundingDinoConfig", "BertConfig")
start, found = threading.Barrier(len(NAMES)), []

def load(name):
    start.wait()
    import_transformers()
    import transformers
    found.append(getattr(transformers, name).__name__)

threads = [threading.Thread(target=load, args=(name,)) for name in NAMES]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert sorted(found) == sorted(NAMES), found
"""


def test_lanes_that_load_side_by_side_find_a_whole_library():
    subprocess.run([sys.executable, "-c", IMPORT_SIDE_BY_SIDE], check=True, timeout=300)
