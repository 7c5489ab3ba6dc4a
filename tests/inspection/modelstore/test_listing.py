from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from builders.ensemble_models import copy_ensemble
from builders.installing import import_models
from builders.model_folders import flip_byte, write_bert, write_vlm

from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.install import Origin, remove_model
from inspection.modelstore.installed import register_folder
from inspection.modelstore.listing import ALL_SLOTS, list_slots, slot_state, total_size, verify_slot
from inspection.paths import resource_path


@pytest.fixture(scope="module")
def bundled(tmp_path_factory) -> Path:
    """The bundled models, with a small demo VLM beside them."""
    folder = copy_ensemble(tmp_path_factory.mktemp("program") / "models")
    (write_vlm(folder / "vlm", seed=1) / "model_card.md").write_text("# Demo", encoding="utf-8")
    register_folder(
        folder / "vlm", "vlm", name="Demo", family="qwen2_vl", source="trainer train",
        licence="Apache-2.0", demo=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def models(tmp_path, bundled) -> ModelFolders:
    """A user's folder with a VLM and a BERT, before the bundled one."""
    folder = tmp_path / "사용자 모델"
    origin = Origin("Small", "a test", "MIT")
    import_models(write_vlm(tmp_path / "source" / "vlm"), folder, origin=origin)
    import_models(write_bert(tmp_path / "source" / "bert"), folder)
    return ModelFolders((folder, bundled))


def states(models: ModelFolders) -> dict[str, str]:
    return {state.slot: state.condition for state in list_slots(models)}


def test_every_slot_of_the_station_is_listed(models):
    assert states(models) == {
        "ct_cnn": "installed",
        "rgb_ae": "installed",
        "ct_ae": "not_installed",
        "vlm": "installed",
        "vlg": "not_installed",
        "bert": "installed",
    }


def test_a_model_is_told_with_size_source_digest_and_licence(models, tmp_path):
    state = slot_state(models, "vlm")
    size = sum(path.stat().st_size for path in (tmp_path / "source" / "vlm").iterdir())
    assert (state.name, state.source, state.licence) == ("Small", "a test", "MIT")
    assert (state.size, state.demo, state.removable) == (size, False, True)
    assert len(state.sha256) == 64
    assert state.as_json()["state"] == "installed"
    assert state.as_json()["note"] is None


def test_the_bundled_models_are_marked_as_demo_and_stay(models):
    state = slot_state(models, "ct_cnn")
    assert state.demo
    assert not state.removable
    assert (state.family, state.licence) == ("resnet18", "Apache-2.0")


def test_whole_models_are_verified_with_progress(models):
    seen: list[int] = []
    for slot in ALL_SLOTS:
        before = slot_state(models, slot)
        assert verify_slot(models, slot, seen.append) == before
    assert sum(seen) == total_size(list_slots(models))


@pytest.mark.parametrize("slot", ["vlm", "bert"])
@pytest.mark.parametrize("place", [0, -1])
def test_one_flipped_bit_is_found(models, slot, place):
    flip_byte(models.install / slot / "model.safetensors", place)
    assert slot_state(models, slot).condition == "installed"
    state = verify_slot(models, slot)
    assert (state.condition, state.removable) == ("unusable", True)
    assert state.problem.code == "bundle_altered"
    assert state.problem.params["file"] == "model.safetensors"


def test_a_file_of_another_size_is_seen_without_hashing(models):
    os.truncate(models.install / "vlm" / "model.safetensors", 100)
    assert slot_state(models, "vlm").problem.code == "bundle_altered"


def test_a_missing_file_is_seen_without_hashing(models):
    (models.install / "vlm" / "tokenizer.json").unlink()
    state = slot_state(models, "vlm")
    assert (state.condition, state.problem.code) == ("unusable", "bundle_file_missing")
    assert state.as_json()["problem"] == state.problem.text("en")


def test_an_altered_description_is_seen(models):
    flip = models.install / "vlm" / "model.json"
    flip.write_text(flip.read_text(encoding="utf-8").replace('"sha256": "', '"sha256": "0', 1))
    assert slot_state(models, "vlm").condition == "unusable"


def test_a_folder_that_was_put_there_by_hand_is_told(models):
    write_vlm(models.install / "vlg")
    assert slot_state(models, "vlg").problem.code == "model_not_registered"


def test_an_altered_own_model_is_found(tmp_path):
    import_models(resource_path("models"), tmp_path, slot="rgb_ae")
    flip_byte(tmp_path / "rgb_ae" / "weights.safetensors")
    assert verify_slot(ModelFolders((tmp_path,)), "rgb_ae").problem.code == "bundle_altered"


def test_verifying_is_cancelled_between_chunks(models):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(InterruptedError):
        verify_slot(models, "vlm", cancel=cancel)


def test_a_user_s_vlm_takes_the_place_of_the_demo_until_it_is_removed(models, bundled):
    state = slot_state(models, "vlm")
    assert (state.name, state.demo, state.removable) == ("Small", False, True)
    remove_model(models.install, "vlm")
    state = slot_state(models, "vlm")
    assert (state.name, state.demo, state.removable) == ("Demo", True, False)
    assert state.as_json()["note"] == "demo model, trained on synthetic images"
    assert state.folder == bundled / "vlm"
    assert verify_slot(models, "vlm") == state


def test_an_altered_demo_vlm_is_found_where_it_is_bundled(models, bundled, tmp_path):
    program = shutil.copytree(bundled, tmp_path / "program")
    flip_byte(program / "vlm" / "model.safetensors")
    state = verify_slot(ModelFolders((tmp_path / "none", program)), "vlm")
    assert (state.condition, state.problem.code) == ("unusable", "bundle_altered")


def test_a_demo_model_that_is_imported_stays_marked(bundled, tmp_path):
    import_models(bundled / "vlm", tmp_path / "user")
    assert slot_state(ModelFolders((tmp_path / "user",)), "vlm").demo


def test_the_user_s_model_goes_before_the_bundled_one(models):
    import_models(resource_path("models"), models.install, slot="rgb_ae")
    state = slot_state(models, "rgb_ae")
    assert state.removable
    assert state.folder.parent == models.install
    assert isinstance(state.folder, Path)
