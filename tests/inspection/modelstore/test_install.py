from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from builders.ensemble_models import copy_ensemble
from builders.installing import import_models
from builders.model_folders import contents, flip_byte, write_bert, write_json, write_vlm
from builders.tiny_vlg import write_bert as write_tiny_bert
from builders.tiny_vlg import write_original, write_transformers
from builders.tiny_vlm import FAMILIES, write_tiny_vlm

import inspection
from inspection.errors import InspectionError
from inspection.modelstore.install import (
    LOCK_NAME,
    InstallProgress,
    Origin,
    remove_model,
    staging,
)
from inspection.modelstore.installed import MODEL_NAME, altered_files, installed_model
from inspection.paths import resource_path

ROOT = Path(inspection.__file__).parent.parent
CHECKPOINT = "groundingdino_swint_ogc.pth"


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "설치된 모델"


@pytest.fixture
def source(tmp_path) -> Path:
    return write_vlm(tmp_path / "받은 모델" / "Qwen2-VL 2B")


def refusal(path: Path, target: Path, **options) -> str:
    """Return why an import is refused, by code; nothing may be left of it."""
    before = contents(target)
    with pytest.raises(InspectionError) as caught:
        import_models(path, target, **options)
    before.setdefault(LOCK_NAME, b"")
    assert {LOCK_NAME: b"", **contents(target)} == before
    return caught.value.message.code


def is_whole(folder: Path, slot: str) -> bool:
    return not list(altered_files(folder, installed_model(folder, slot)))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_vlm_family_is_recognised(family, tmp_path, target):
    installed = import_models(write_tiny_vlm(tmp_path / family, family), target)
    assert installed.slots == ("vlm",)
    assert installed_model(target / "vlm", "vlm").family == family


@pytest.mark.parametrize(
    ("write", "family"),
    [(write_original, "groundingdino"), (write_transformers, "grounding-dino")],
)
def test_both_layouts_of_a_vlg_are_recognised(tmp_path, target, write, family):
    bert = write_tiny_bert(tmp_path / "bert")
    assert import_models(write(tmp_path / "vlg", bert), target).slots == ("vlg",)
    assert installed_model(target / "vlg", "vlg").family == family
    assert import_models(bert, target).slots == ("bert",)


def test_a_folder_is_installed_with_its_description(source, target):
    origin = Origin("Qwen2-VL 2B", "a USB stick", "Apache-2.0")
    installed = import_models(source, target, origin=origin)
    model = installed_model(target / "vlm", "vlm")
    assert (model.name, model.source, model.licence) == ("Qwen2-VL 2B", "a USB stick", "Apache-2.0")
    assert installed.left_out == ()
    assert {name: (source / name).read_bytes() for name in model.files} == contents(source)
    assert is_whole(target / "vlm", "vlm")


def test_without_a_word_of_the_user_name_and_source_are_those_of_the_folder(source, target):
    import_models(source, target)
    model = installed_model(target / "vlm", "vlm")
    assert (model.name, model.source, model.licence) == (source.name, str(source), "")


def test_what_an_installed_model_says_of_itself_goes_with_it(source, target, tmp_path):
    import_models(source, target, origin=Origin("Name", "https://hub/a", "MIT"))
    import_models(target / "vlm", tmp_path / "second station")
    model = installed_model(tmp_path / "second station" / "vlm", "vlm")
    assert (model.name, model.source, model.licence) == ("Name", "https://hub/a", "MIT")


def test_a_whole_models_folder_goes_to_another_station(source, target, tmp_path):
    import_models(source, target, origin=Origin("Name", "https://hub/a", "MIT"))
    import_models(write_bert(tmp_path / "bert"), target)
    assert set(import_models(target, tmp_path / "second").slots) == {"vlm", "bert"}
    assert (tmp_path / "second" / "vlm" / "config.json").is_file()
    digests = [installed_model(f / "vlm", "vlm").sha256 for f in (target, tmp_path / "second")]
    assert digests[0] == digests[1]


def test_a_model_that_was_altered_since_it_was_described_is_refused(source, target, tmp_path):
    import_models(source, target)
    flip_byte(target / "vlm" / "model.safetensors")
    assert refusal(target / "vlm", tmp_path / "second") == "bundle_altered"
    (target / "vlm" / "README.md").unlink()
    assert refusal(target / "vlm", tmp_path / "second") == "bundle_file_missing"


def test_several_models_of_one_folder_are_installed_at_once(source, target):
    write_bert(source.parent / "bert-base-uncased")
    shutil.copytree(resource_path("models", "ct_cnn"), source.parent / "ct_cnn")
    assert set(import_models(source.parent, target).slots) == {"vlm", "bert", "ct_cnn"}
    shutil.rmtree(target)
    assert import_models(source.parent, target, slot="bert").slots == ("bert",)
    assert not (target / "vlm").exists()


def test_a_classifier_brings_its_policy_and_takes_it_away(target, tmp_path):
    source = copy_ensemble(tmp_path / "ensemble")
    assert set(import_models(source, target).slots) == {"ct_cnn", "rgb_ae"}
    assert (target / "inspector.yaml").is_file()
    remove_model(target, "ct_cnn")
    assert not (target / "inspector.yaml").exists()
    assert not (target / "ct_cnn").exists()


def test_two_models_for_one_slot_are_a_question_and_no_choice(source, target):
    write_vlm(source.parent / "another")
    assert refusal(source.parent, target) == "model_twice"


def test_what_lies_within_a_model_is_a_part_of_it(source, target):
    (source / "onnx").mkdir()
    write_json(source / "onnx" / "config.json", {"model_type": "bert"})
    assert import_models(source, target).slots == ("vlm",)
    assert (target / "vlm" / "onnx" / "config.json").is_file()


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("config.json", "model_not_recognised"),
        ("preprocessor_config.json", "bundle_file_missing"),
        ("tokenizer.json", "bundle_file_missing"),
        ("tokenizer_config.json", "bundle_file_missing"),
        ("model.safetensors", "bundle_file_missing"),
    ],
)
def test_an_incomplete_folder_is_refused(source, target, missing, code):
    (source / missing).unlink()
    assert refusal(source, target) == code


def test_a_missing_shard_is_refused(source, target):
    write_json(
        source / "model.safetensors.index.json",
        {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}},
    )
    assert refusal(source, target) == "bundle_file_missing"


@pytest.mark.parametrize("family", ["llama", "clip"])
def test_a_model_of_another_kind_is_named(source, target, family):
    write_json(source / "config.json", {"model_type": family})
    assert refusal(source, target) == "model_family_unknown"


@pytest.mark.parametrize("config", ["[]", "{", "[" * 100_000])
def test_a_damaged_config_is_refused(source, target, config):
    (source / "config.json").write_text(config, encoding="utf-8")
    assert refusal(source, target) == "bundle_unreadable"


def test_what_a_lane_would_refuse_is_refused_now(source, target):
    write_json(
        source / "config.json", {"model_type": "qwen2_vl", "quantization_config": {"bits": 4}}
    )
    assert refusal(source, target) == "vlm_quantised"


@pytest.mark.parametrize("content", [{}, {"swin": {"embed_dim": 10**9}}])
def test_an_architecture_that_makes_no_sense_is_refused(source, target, content):
    (source / "config.json").unlink()
    write_json(source / "architecture.json", content)
    assert refusal(source, target) == "bundle_invalid"


def test_no_folder_is_one_sentence(tmp_path, target):
    assert refusal(tmp_path / "nothing", target) == "model_source_missing"


# -- weights that are cut short, or more than weights ----------------------------------------------


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def huge_header(path: Path) -> None:
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")


def listed_header(path: Path) -> None:
    path.write_bytes((8).to_bytes(8, "little") + b"[1,2,3] ")


@pytest.mark.parametrize("damage", [cut, lengthen, empty, huge_header, listed_header])
def test_damaged_weights_are_refused(source, target, damage):
    damage(source / "model.safetensors")
    assert refusal(source, target) == "model_weights_damaged"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("pytorch_model.bin", "model_pickle"),
        ("model.pt", "model_pickle"),
        ("weights.pth", "model_pickle"),
        # Of that name it is taken for a GroundingDINO, and is no checkpoint.
        (CHECKPOINT, "model_pickle_code"),
    ],
)
def test_a_vlm_as_pickle_is_refused(source, target, name, code):
    (source / "model.safetensors").rename(source / name)
    assert refusal(source, target) == code


def test_code_and_pickles_beside_weights_are_left_out(source, target):
    (source / "modeling_qwen.py").write_text("print('run')", encoding="utf-8")
    (source / "pytorch_model.bin").write_bytes(b"pickle")
    (source / "weights").mkdir()
    (source / "weights" / CHECKPOINT).write_bytes(b"pickle")
    (source / ".git").mkdir()
    (source / ".git" / "config.json").write_text("{}", encoding="utf-8")
    installed = import_models(source, target)
    assert set(installed.left_out) == {
        ".git/config.json",
        "modeling_qwen.py",
        "pytorch_model.bin",
        f"weights/{CHECKPOINT}",
    }
    assert not any((target / "vlm" / name).exists() for name in installed.left_out)


class Evil:
    """Unpickled, it writes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("new_format", [True, False])
def test_a_checkpoint_of_tensors_is_taken(tmp_path, target, new_format):
    folder = tmp_path / "GroundingDINO"
    folder.mkdir()
    torch.save(
        {"model": {"w": torch.ones(3, 4)}},
        folder / CHECKPOINT,
        _use_new_zipfile_serialization=new_format,
    )
    (folder / "GroundingDINO_SwinT_OGC.py").write_text("import os", encoding="utf-8")
    installed = import_models(folder, target)
    assert (installed.slots, installed.left_out) == (("vlg",), ("GroundingDINO_SwinT_OGC.py",))
    assert installed_model(target / "vlg", "vlg").family == "groundingdino_swint_ogc"


def test_a_checkpoint_is_taken_by_itself(tmp_path, target):
    # Torch's file is a zip inside, and is not taken for one.
    torch.save({"model": {"w": torch.ones(3, 4)}}, tmp_path / CHECKPOINT)
    write_bert(tmp_path / "beside")
    assert import_models(tmp_path / CHECKPOINT, target).slots == ("vlg",)
    assert installed_model(target / "vlg", "vlg").name == "groundingdino_swint_ogc"
    assert refusal(tmp_path / CHECKPOINT, target, slot="vlm") == "model_not_for_slot"


@pytest.mark.parametrize("form", ["new", "legacy", "bare"])
def test_a_checkpoint_with_code_is_refused_and_its_code_not_run(tmp_path, target, form):
    folder = tmp_path / "GroundingDINO"
    folder.mkdir()
    mark = tmp_path / "code ran"
    content = {"model": {"w": torch.ones(2)}, "args": Evil(mark)}
    if form == "bare":
        (folder / CHECKPOINT).write_bytes(pickle.dumps(content["args"], protocol=2))
    else:
        torch.save(content, folder / CHECKPOINT, _use_new_zipfile_serialization=form == "new")
    assert refusal(folder, target) == "model_pickle_code"
    assert not mark.exists()


def test_bert_beside_a_checkpoint_goes_to_its_own_slot(tmp_path, target):
    folder = tmp_path / "weights"
    folder.mkdir()
    torch.save({"model": {"w": torch.ones(2)}}, folder / CHECKPOINT)
    write_bert(folder / "bert-base-uncased")
    assert set(import_models(folder, target).slots) == {"vlg", "bert"}
    assert set(installed_model(target / "vlg", "vlg").files) == {CHECKPOINT}


# -- links -----------------------------------------------------------------------------------------


def test_links_are_refused(source, target, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text("{}", encoding="utf-8")
    (source / "added.json").symlink_to(secret)
    assert refusal(source, target) == "model_link"


def test_a_linked_folder_is_refused(source, target, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (source / "sub").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert refusal(source, target) == "model_link"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_a_special_file_is_refused_and_not_opened(source, target):
    os.mkfifo(source / "pipe.json")
    assert refusal(source, target) == "model_link"


# -- the old model or the new, never half of each --------------------------------------------------


def test_a_failed_import_leaves_the_old_model_whole(source, target, tmp_path):
    import_models(source, target)
    fresh = write_vlm(tmp_path / "fresh", seed=1)
    cut(fresh / "model.safetensors")
    assert refusal(fresh, target) == "model_weights_damaged"
    assert is_whole(target / "vlm", "vlm")


def test_a_refused_model_keeps_the_others_of_its_folder_out(source, target):
    write_bert(source.parent / "bert")
    shutil.copytree(resource_path("models", "rgb_ae"), source.parent / "rgb_ae")
    flip_byte(source.parent / "rgb_ae" / "weights.safetensors")
    assert refusal(source.parent, target) == "bundle_altered"


@pytest.mark.parametrize("phase", ["copy", "check"])
def test_a_cancelled_import_leaves_the_old_model_whole(source, target, tmp_path, phase):
    import_models(source, target)
    before = contents(target)
    cancel = threading.Event()

    def stop(progress: InstallProgress) -> None:
        if progress.phase == phase:
            cancel.set()

    with pytest.raises(InterruptedError):
        import_models(
            write_vlm(tmp_path / "fresh", seed=1), target, on_progress=stop, cancel=cancel
        )
    assert contents(target) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from inspection.modelstore.install import import_models
def die(progress):
    if progress.phase == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)
import_models(
    Path(sys.argv[1]), Path(sys.argv[2]), trial=lambda folder, slot: None, on_progress=die
)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("phase", ["copy", "check"])
def test_a_killed_import_leaves_the_old_model_whole_and_the_next_one_clears_up(
    source, target, tmp_path, phase
):
    import_models(source, target)
    fresh = write_vlm(tmp_path / "fresh", seed=1)
    command = [sys.executable, "-c", KILLED, str(fresh), str(target), phase]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -9
    assert any(target.glob(".staging-*"))
    assert is_whole(target / "vlm", "vlm")
    import_models(fresh, target)
    assert not any(target.glob(".staging-*"))
    assert (target / "vlm" / "model.safetensors").read_bytes() == (
        fresh / "model.safetensors"
    ).read_bytes()


def test_a_model_that_a_kill_left_between_two_names_comes_back(source, target, tmp_path):
    import_models(source, target)
    (target / "vlm").rename(target / ".vlm.0123abcd.old")
    import_models(write_bert(tmp_path / "bert"), target)
    assert is_whole(target / "vlm", "vlm")
    assert not any(target.glob(".*.old"))


def test_two_installations_at_once_are_one_refusal(source, target):
    with staging(target), pytest.raises(InspectionError) as caught:
        import_models(source, target)
    assert caught.value.message.code == "model_install_busy"
    import_models(source, target)


def test_what_does_not_fit_the_disk_is_refused_before_it_is_copied(source, target):
    # A file with holes: larger than the disk, and takes no room.
    size = shutil.disk_usage(source).free + (1 << 30)
    header = b'{"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (size, size)
    path = source / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + size)
    assert refusal(source, target) == "model_disk_full"


def test_a_folder_that_cannot_be_written_is_one_sentence(source, tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("", encoding="utf-8")
    with pytest.raises(InspectionError) as caught:
        import_models(source, occupied)
    assert caught.value.message.code == "model_write_failed"


def test_progress_counts_every_byte_twice(source, target):
    seen: list[InstallProgress] = []
    import_models(source, target, on_progress=seen.append)
    total = sum(len(data) for data in contents(source).values())
    for phase in ("copy", "check"):
        last = [progress for progress in seen if progress.phase == phase][-1]
        assert (last.done, last.total) == (total, total)


def test_nothing_installed_cannot_be_removed(target):
    with pytest.raises(InspectionError) as caught:
        remove_model(target, "vlm")
    assert caught.value.message.code == "model_not_installed"


def test_a_removed_model_is_gone_and_the_others_stay(source, target, tmp_path):
    import_models(source, target)
    import_models(write_bert(tmp_path / "bert"), target)
    remove_model(target, "vlm")
    assert not (target / "vlm").exists()
    assert (target / "bert" / MODEL_NAME).is_file()
