"""``station models`` as its user meets it: folders and zips, a hub that breaks off, no network."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders.ensemble_models import copy_ensemble
from builders.model_folders import flip_byte, write_bert, write_vlm
from builders.model_hub import Hub, closed_port, serve
from builders.tiny_vlg import write_bert as write_tiny_bert
from builders.tiny_vlg import write_original
from builders.tiny_vlm import write_tiny_vlm

import inspection
from app.__main__ import app
from inspection.console import run
from inspection.modelstore.files import CHUNK
from inspection.synthetic import SyntheticLot, write_lot

ROOT = Path(inspection.__file__).parent.parent
SLOTS = ["ct_cnn", "rgb_ae", "ct_ae", "vlm", "vlg", "bert"]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    """Speak English, keep out of the user's own data, and reach this machine without a proxy."""
    monkeypatch.setenv("STATION_LANGUAGE", "en")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", "")


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "모델 폴더"


def models(command: str, *arguments: str | Path) -> int:
    return run(app, "station", ["models", command, *[str(argument) for argument in arguments]])


def refusal(capsys, command: str, *arguments: str | Path) -> str:
    """Return the one line that a wrong use or bad input is answered with."""
    capsys.readouterr()
    assert models(command, *arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("station: ")
    return line.removeprefix("station: ")


def listed(capsys, *arguments: str | Path) -> dict[str, dict]:
    capsys.readouterr()
    assert models("list", "--json", *arguments) == 0
    return {row["slot"]: row for row in json.loads(capsys.readouterr().out)}


def test_every_slot_is_listed_with_the_bundled_models(capsys):
    rows = listed(capsys)
    assert list(rows) == SLOTS
    bundled = {folder.name for folder in (ROOT / "resources" / "models").iterdir()} & set(SLOTS)
    assert bundled >= {"ct_cnn", "rgb_ae"}
    for slot, row in rows.items():
        assert row["state"] == ("installed" if slot in bundled else "not_installed")
        if slot in bundled:
            assert row["note"] == "demo model, trained on synthetic images"
            assert (row["demo"], row["licence"]) == (True, "Apache-2.0")
            assert len(row["sha256"]) == 64
    assert models("verify") == 0
    assert len(capsys.readouterr().out.splitlines()) == len(bundled)


def test_an_import_goes_before_the_bundled_model_until_it_is_removed(capsys, tmp_path):
    bundled = listed(capsys)["vlm"]
    assert models("import", write_vlm(tmp_path / "vlm"), "--name", "Mine") == 0
    row = listed(capsys)["vlm"]
    assert (row["name"], row["demo"], row["note"]) == ("Mine", False, None)
    assert Path(row["folder"]).is_relative_to(tmp_path)
    assert models("remove", "vlm") == 0
    assert listed(capsys)["vlm"] == bundled


def test_the_table_is_in_the_operator_s_language(capsys, monkeypatch):
    assert models("list") == 0
    english = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in english[:-1]] == ["slot", *SLOTS]
    assert "installed (demo)" in english[1]
    assert english[-1] == "(demo): demo model, trained on synthetic images"
    monkeypatch.setenv("STATION_LANGUAGE", "ko")
    assert models("list") == 0
    korean = capsys.readouterr().out.splitlines()
    assert korean[0].startswith("용도")
    assert "설치됨 (데모)" in korean[1]
    assert korean[-1] == "(데모): 데모 모델, 합성 이미지로 학습됨"


def test_a_folder_and_a_zip_are_imported_verified_and_removed(capsys, target, tmp_path):
    vlm = write_tiny_vlm(tmp_path / "받은 모델" / "tiny")
    archive = shutil.make_archive(str(tmp_path / "bert 모음"), "zip", write_bert(tmp_path / "bert"))
    at = ("--models", target)
    words = ("--name", "Tiny", "--licence", "MIT", "--source", "a memory stick")
    assert models("import", vlm, *at, *words) == 0
    assert models("import", archive, *at, "--slot", "bert") == 0
    said = capsys.readouterr()
    assert said.out == "Installed: vlm.\nInstalled: bert.\n"
    assert "Copying" in said.err
    row = listed(capsys, *at)["vlm"]
    assert (row["name"], row["licence"], row["source"]) == ("Tiny", "MIT", "a memory stick")
    assert row["family"] == "qwen2_vl"
    assert models("verify", *at) == 0
    assert models("remove", "bert", *at) == 0
    assert listed(capsys, *at)["bert"]["state"] == "not_installed"


def test_an_altered_model_is_told_with_exit_1(capsys, target, tmp_path):
    at = ("--models", target)
    models("import", write_vlm(tmp_path / "vlm"), *at)
    models("import", write_bert(tmp_path / "bert"), *at)
    flip_byte(target / "vlm" / "model.safetensors")
    assert models("verify", "bert", *at) == 0
    capsys.readouterr()
    assert models("verify", *at) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("vlm: ")
    assert "model.safetensors" in lines[0]
    assert lines[1].startswith("bert: every file")


def test_what_was_left_out_is_told(capsys, target, tmp_path):
    folder = write_vlm(tmp_path / "vlm")
    (folder / "modeling.py").write_text("import os", encoding="utf-8")
    assert models("import", folder, "--models", target) == 0
    assert "modeling.py" in capsys.readouterr().out


def test_mistakes_are_one_line(capsys, target, tmp_path):
    at = ("--models", target)
    folder = write_vlm(tmp_path / "vlm")
    assert "no folder or zip" in refusal(capsys, "import", tmp_path / "없음", *at)
    assert "ct_cnn, rgb_ae, ct_ae, vlm, vlg, bert" in refusal(
        capsys, "import", folder, "--slot", "vml", *at
    )
    assert "for another slot than vlg" in refusal(capsys, "import", folder, "--slot", "vlg", *at)
    assert "not one of" in refusal(capsys, "verify", "vml", *at)
    assert "not installed" in refusal(capsys, "verify", "vlm", *at)
    assert "not installed" in refusal(capsys, "remove", "vlm", *at)
    assert "came with the program" in refusal(capsys, "remove", "ct_cnn")
    assert "--unfinished" in refusal(capsys, "remove", *at)
    assert "--list" in refusal(capsys, "download", *at)
    assert "not in the catalogue" in refusal(capsys, "download", "gpt", *at)


def test_the_catalogue_tells_licences_that_keep_off_the_line(capsys):
    assert models("download", "--list") == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "no commercial use" in lines["qwen2.5-vl-3b"]
    assert "Apache-2.0" in lines["qwen2-vl-7b"]


def station_process(endpoint: str, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "app", "models", *[str(argument) for argument in arguments]]
    environment = {**os.environ, "HF_ENDPOINT": endpoint}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for_chunk(target: Path) -> None:
    """Wait until a chunk lies on the disk; before that it may be anywhere between the two."""
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size >= CHUNK for path in target.rglob("*.part")):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to a child")
def test_ctrl_c_stops_a_download_and_the_same_command_goes_on(target, tmp_path):
    hub = Hub(write_vlm(tmp_path / "hub", megabytes=3.5), hold={"model.safetensors": 2 * CHUNK})
    command = ("download", "maker/model", "--models", target)
    with serve(hub):
        first = station_process(hub.endpoint, *command)
        assert hub.held.wait(60)
        wait_for_chunk(target)
        first.send_signal(signal.SIGINT)
        # The handler runs before the next chunk is looked at, for that comes after `go`.
        hub.go.set()
        _, said = first.communicate(timeout=60)
        assert first.returncode == 130
        assert "goes on from there" in said
        assert not (target / "vlm").exists()
        second = station_process(hub.endpoint, *command)
        out, said = second.communicate(timeout=60)
    assert (second.returncode, out) == (0, "Installed: vlm.\n")
    assert "Downloading" in said
    assert [first for name, first in hub.asked if name == "model.safetensors"][1] > 0


def test_without_network_there_is_one_line(target):
    process = station_process(closed_port(), "download", "qwen2-vl-2b", "--models", target)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert said == (
        "station: The model hub cannot be reached. "
        "Without network, import the model from a folder or zip.\n"
    )


def test_the_model_commands_import_no_qt():
    probe = (
        "import sys; from app.__main__ import app; from inspection.console import run; "
        "code = run(app, 'station', ['models', 'list']); "
        "sys.exit(code or any(n.startswith(('PySide6', 'torch')) for n in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", probe], cwd=ROOT, check=False).returncode == 0


# The hook sees every connection and every look-up of a name, also of code that is not Python.
OFFLINE = """
import os, sys
def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        os.write(2, f"network: {event} {arguments}".encode())
        os._exit(99)
sys.addaudithook(refuse)
from app.__main__ import app
from inspection.console import run
code = run(app, "station", sys.argv[2:])
if any(name.split(".")[0] in sys.argv[1].split(",") for name in sys.modules):
    code = 98
sys.exit(code)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("systems", "absent"),
    [
        ("ensemble", "transformers,groundingdino,huggingface_hub,requests,PySide6"),
        ("ensemble,vlm,vlg", "PySide6"),
    ],
)
def test_nothing_is_downloaded_while_a_lot_is_inspected(tmp_path, systems, absent):
    lot = write_lot(tmp_path / "lot", SyntheticLot(batteries=1, slices=6, views=2, seed=3))
    target = copy_ensemble(tmp_path / "models")
    if "vlm" in systems:
        bert = write_tiny_bert(tmp_path / "small" / "bert")
        write_original(tmp_path / "small" / "grounding", bert)
        write_tiny_vlm(tmp_path / "small" / "qwen")
        assert models("import", tmp_path / "small", "--models", target) == 0
    command = [sys.executable, "-c", OFFLINE, absent, "inspect", lot, "--systems", systems]
    folders = ["--models", target, "--session-dir", tmp_path / "sessions"]
    process = subprocess.run(
        [*command, *folders, "--device", "cpu", "--json"],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    session = json.loads(process.stdout)
    judged = {model["slot"] for model in session["models"]}
    assert judged == {"ct_cnn", "rgb_ae", *({"vlm", "vlg", "bert"} if "vlm" in systems else ())}
    (row,) = session["batteries"]
    (result,) = (tmp_path / "sessions" / session["run_id"] / "batteries").glob("*.json")
    battery = json.loads(result.read_text(encoding="utf-8"))
    assert row["state"] == "done"
    for system in systems.split(","):
        assert battery["systems"][system] == "done"
        assert battery[system] is not None
