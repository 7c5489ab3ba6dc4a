"""The commands of docs/training.md, in their order, on a tiny lot and with tiny networks."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

import inspection
from app.__main__ import app as station_app
from inspection.console import run
from inspection.modelstore.bundle import find_bundle
from training.__main__ import app as trainer_app
from training.data.split_files import read_split

ROOT = Path(inspection.__file__).parent.parent
APPS = {"station": station_app, "trainer": trainer_app}
# What is added to a command of the page, so that it takes seconds. Of an option given twice the
# last counts.
SMALL = {
    "station lot": "--batteries 20 --slices 9 --views 8 --canvas 128",
    "configs/cnn.yaml": (
        "--set preprocess.width=32 --set preprocess.height=64 --set warmup.epochs=0"
        " --set training.epochs=1 --set training.batch_size=8 --set architecture.output_stride=32"
    ),
    "configs/autoencoder_rgb.yaml": (
        "--set preprocess.width=64 --set preprocess.height=32 --set architecture.levels=2"
        " --set architecture.head_levels=2 --set architecture.base=8 --set training.crop=null"
        " --set training.epochs=1"
    ),
    "station inspect": "--device cpu --json",
}


def commands_of_the_page() -> list[list[str]]:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    block = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    assert block is not None
    return [shlex.split(line) for line in block[1].splitlines() if line.strip()]


def small(command: list[str]) -> list[str]:
    line = " ".join(command)
    more = [word for key, words in SMALL.items() if key in line for word in words.split()]
    root = str(ROOT / "configs")
    return [re.sub(r"^configs(?=/)", root.replace("\\", "/"), word) for word in command] + more


@pytest.mark.long
def test_the_documented_commands_lead_from_a_lot_to_a_model_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    commands = commands_of_the_page()
    steps = [" ".join(command[:2]) for command in commands]
    expected = ["split", "check", "train", "train", "threshold", "gate", "gate", "export", "fuse"]
    assert steps == [
        "station lot",
        *(f"trainer {name}" for name in (*expected, "evaluate")),
        "station inspect",
    ]
    for command in commands:
        capsys.readouterr()
        program, *arguments = small(command)
        assert run(APPS[program], program, arguments) == 0, capsys.readouterr().err

    session = json.loads(capsys.readouterr().out)
    assert session["status"] == "completed"
    # The very models that were trained, under the policy that was found for them.
    models = tmp_path / "models"
    used = {model["slot"]: model["sha256"] for model in session["models"]}
    runs = {"ct_cnn": tmp_path / "runs" / "ct", "rgb_ae": tmp_path / "runs" / "rgb"}
    assert used == {slot: find_bundle(folder, slot).sha256 for slot, folder in runs.items()}
    assert Path(session["config"]["inspector_from"]).resolve() == models / "inspector.yaml"
    split = read_split(tmp_path / "split")
    for slot, folder in runs.items():
        assert find_bundle(folder, slot).manifest.training["split"] == split.id
    assert find_bundle(models, "rgb_ae").threshold.method == "f1_max"
    figures = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text("utf-8"))
    assert figures["models"]["ct_cnn"]["images"] == len(split.rows("test", "ct"))
    assert (tmp_path / "checks.csv").read_text(encoding="utf-8-sig").startswith("kind,severity")


def test_every_command_of_the_trainer_helps(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("split", "check", "train", "threshold", "gate", "fuse", "evaluate", "export"):
        assert run(trainer_app, "trainer", [name, "--help"]) == 0
        assert "Usage: trainer" in capsys.readouterr().out
