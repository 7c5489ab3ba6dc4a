"""The self-test passes on a whole installation, and names the step where one is not whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders.ensemble_models import copy_ensemble
from builders.model_folders import flip_byte
from builders.tiny_vlg import write_bert, write_transformers
from builders.tiny_vlm import write_tiny_vlm

import inspection
from app.__main__ import app
from app.cli.self_test import STEPS, Bench, take_steps
from inspection.console import run
from inspection.errors import InspectionError
from inspection.messages import wordings
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.installed import register_folder
from inspection.session.store import SessionStore
from inspection.systems.vlm.model import VlmPredictor

ROOT = Path(inspection.__file__).parent.parent
TAKE = {step.__name__: step for step in STEPS}


@pytest.mark.long
def test_a_whole_installation_passes_and_leaves_nothing(tmp_path):
    temporary, home = tmp_path / "임시 폴더", tmp_path / "home"
    temporary.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "STATION_LANGUAGE": "ko",
        "TMPDIR": str(temporary),
        "HOME": str(home),
    }
    command = [sys.executable, "-m", "app", "--self-test"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, len(lines)) == (0, len(STEPS) + 1), done.stderr.decode()
    assert lines[-1].endswith("통과했습니다.")
    assert not list(temporary.glob("station-*"))
    assert not list(home.rglob("battery-station"))


def test_every_step_has_a_name_in_the_messages():
    assert {f"self_test_{name}" for name in TAKE} <= set(wordings())


def test_the_step_that_fails_is_named_and_ends_the_test(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("STATION_LANGUAGE", "en")
    models = copy_ensemble(tmp_path / "models")
    weights = models / "ct_cnn" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    bench = Bench(tmp_path, ModelFolders((models,)))
    assert take_steps([TAKE["models"], TAKE["lot"]], bench) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("FAILED  Bundled models: ")
    assert "weights.safetensors" in line
    assert not bench.lot.exists()


def test_without_models_the_self_test_fails(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("STATION_LANGUAGE", "ko")
    assert take_steps([TAKE["models"]], Bench(tmp_path, ModelFolders((tmp_path / "none",)))) == 1
    assert capsys.readouterr().out.startswith("실패    내장 모델: ")


def test_an_error_nobody_foresaw_is_shown_in_full(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("STATION_LANGUAGE", "en")

    def libraries(bench: Bench) -> None:
        raise ImportError("no module named abacus")

    assert take_steps([libraries], Bench(tmp_path, ModelFolders((tmp_path,)))) == 1
    told = capsys.readouterr()
    assert "ImportError: no module named abacus" in told.out
    assert "Traceback" in told.err


def test_a_session_that_lacks_a_battery_is_not_accepted(tmp_path):
    bench = Bench(tmp_path, ModelFolders((tmp_path / "none",)))
    TAKE["lot"](bench)
    TAKE["inspection"](bench)
    with pytest.raises(InspectionError, match="not inspected"):
        TAKE["session"](bench)


def test_a_windowed_program_without_streams_reports_wrong_use_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run(app, "station", ["inspect", str(tmp_path / "no-such-lot")]) == 2


@pytest.fixture(scope="module")
def with_demos(tmp_path_factory) -> ModelFolders:
    """The ensemble's models with a small VLM and VLG beside them."""
    folder = copy_ensemble(tmp_path_factory.mktemp("models") / "models")
    write_tiny_vlm(folder / "vlm")
    write_transformers(folder / "vlg", write_bert(folder.parent / "bert"))
    for slot, family in (("vlm", "qwen2_vl"), ("vlg", "grounding-dino")):
        register_folder(
            folder / slot, slot, name=slot, family=family, source="test", licence="-", demo=True
        )
    return ModelFolders((folder,))


@pytest.mark.long
def test_a_bundled_vlm_and_vlg_are_tried_as_well(tmp_path, with_demos):
    bench = Bench(tmp_path, with_demos)
    for name in ("models", "lot", "inspection", "session"):
        TAKE[name](bench)
    with SessionStore.open(bench.session(), read_only=True) as store:
        assert {model.slot for model in store.record.models} == {"ct_cnn", "rgb_ae", "vlm", "vlg"}
        result = store.load_battery(store.record.batteries[0].battery_id)
    assert result.systems == dict.fromkeys(("ensemble", "vlm", "vlg"), "done")
    assert len(result.vlm.images) == len(result.vlg.images) == 2


def test_an_altered_vlg_fails_the_self_test(tmp_path, with_demos):
    models = shutil.copytree(with_demos.install, tmp_path / "models")
    flip_byte(models / "vlg" / "model.safetensors")
    with pytest.raises(InspectionError, match=r"model\.safetensors"):
        TAKE["models"](Bench(tmp_path, ModelFolders((models,))))


@pytest.mark.long
def test_a_system_that_does_not_answer_fails_the_self_test(tmp_path, with_demos, monkeypatch):
    bench = Bench(tmp_path, with_demos)
    monkeypatch.setattr(VlmPredictor, "answer", refuse)
    TAKE["lot"](bench)
    TAKE["inspection"](bench)
    with pytest.raises(InspectionError, match="vlm: "):
        TAKE["session"](bench)


def refuse(*_arguments: object, **_more: object) -> None:
    raise RuntimeError("no answer")
