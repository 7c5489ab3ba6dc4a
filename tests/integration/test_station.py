"""The station as its user meets it: commands on a real lot, with the bundled models."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
from builders.ensemble_models import copy_ensemble

import inspection
from app.__main__ import app
from inspection.console import run
from inspection.synthetic import SyntheticLot, write_lot

ROOT = Path(inspection.__file__).parent.parent
SUMMARY_COLUMNS = "job_id,total_images,defect_count,normal_count,avg_confidence,processing_time"


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("로트 하나") / "lot"
    return write_lot(folder, SyntheticLot(batteries=6, slices=12, views=4, seed=31, defects=0.5))


def station(*arguments: str | Path) -> int:
    return run(app, "station", [str(argument) for argument in arguments])


def inspect_json(
    capsys, lot: Path, sessions: Path, *more: str, systems: str = "ensemble"
) -> tuple[int, dict]:
    where = ("--session-dir", sessions, "--json", "--language", "en", "--systems", systems)
    code = station("inspect", lot, *where, *more)
    return code, json.loads(capsys.readouterr().out)


def truth(lot: Path) -> dict:
    return json.loads((lot / "truth.json").read_text(encoding="utf-8"))


def images_of(lot: Path, pattern: str) -> list[Path]:
    return sorted(lot.rglob(pattern))


def test_a_lot_is_inspected_saved_and_reported(lot, tmp_path, capsys):
    code, session = inspect_json(capsys, lot, tmp_path / "sessions")
    assert code == 0
    schema = json.loads((ROOT / "docs/session.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(session, schema)
    assert session["status"] == "completed"
    assert session["progress_percent"] == 100
    assert [row["battery_id"] for row in session["batteries"]] == sorted(truth(lot))
    assert all(row["kind"] != "not_inspected" for row in session["batteries"])
    assert {model["slot"] for model in session["models"]} == {"ct_cnn", "rgb_ae"}
    assert all(len(model["sha256"]) == 64 and model["demo"] for model in session["models"])

    folder = tmp_path / "sessions" / session["run_id"]
    out = tmp_path / "report"
    assert station("report", folder, "--out", out, "--language", "ko") == 0
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF")
    assert (out / "report.html").stat().st_size > 10_000
    assert (out / "summary.csv").read_text(encoding="utf-8-sig").startswith(SUMMARY_COLUMNS)
    images = json.loads((out / "result.json").read_text(encoding="utf-8"))["images"]
    assert len(images) == 6 * (12 + 4)


def test_one_battery_can_be_inspected_alone(lot, tmp_path, capsys):
    battery_id = sorted(truth(lot))[0]
    code, session = inspect_json(capsys, lot, tmp_path, "--battery", battery_id)
    assert code == 0
    assert session["status"] == "completed"
    assert [row["battery_id"] for row in session["batteries"]] == [battery_id]


@pytest.mark.long
def test_a_killed_inspection_resumes_and_loses_at_most_the_battery_in_work(lot, tmp_path, capsys):
    command = [sys.executable, "-m", "app", "inspect", str(lot), "--session-dir", str(tmp_path)]
    command += ["--systems", "ensemble"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    finished = _wait_for_batteries(tmp_path, 2, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (run_folder,) = tmp_path.iterdir()
    code, session = inspect_json(capsys, lot, tmp_path, "--resume", run_folder.name)
    assert code == 0
    assert session["run_id"] == run_folder.name
    assert session["status"] == "completed"
    for path, before in finished.items():
        assert path.read_bytes() == before, "a finished battery was inspected again"


def test_a_session_of_another_lot_is_not_gone_on_with(lot, tmp_path, capsys):
    battery_id = sorted(truth(lot))[0]
    sessions, other = tmp_path / "sessions", tmp_path / "other"
    _, session = inspect_json(capsys, lot, sessions, "--battery", battery_id)
    shutil.copytree(lot, other)
    resume = ("inspect", other, "--session-dir", sessions, "--resume", session["run_id"])
    assert station(*resume) == 2
    assert session["run_id"] in capsys.readouterr().err
    again, _ = inspect_json(capsys, lot, sessions, "--resume", session["run_id"])
    assert again == 0


def test_a_session_is_not_gone_on_with_on_other_images_than_it_was_begun_on(lot, tmp_path, capsys):
    battery_id = sorted(truth(lot))[0]
    _, session = inspect_json(capsys, lot, tmp_path, "--battery", battery_id, "--sample", "7")
    resume = ("--resume", session["run_id"])
    command = ("inspect", lot, "--session-dir", tmp_path, *resume, "--sample", "8")
    assert station(*command) == 2
    assert "sample of 8" in capsys.readouterr().err
    assert inspect_json(capsys, lot, tmp_path, *resume, "--sample", "7")[0] == 0


def _wait_for_batteries(sessions: Path, count: int, process) -> dict[Path, bytes]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        files = [
            path
            for path in sessions.glob("*/batteries/*.json")
            if json.loads(path.read_bytes())["state"] == "done"
        ]
        if len(files) >= count:
            return {path: path.read_bytes() for path in files}
        time.sleep(0.05)
    pytest.fail("the inspection ended, or stalled, before two batteries were done")


@pytest.mark.long
def test_a_broken_lot_is_inspected_as_far_as_it_can_be(lot, tmp_path, capsys):
    """Every bad file is named with its reason; every other battery is judged as before."""
    _, before = inspect_json(capsys, lot, tmp_path / "before")
    ids = [row["battery_id"] for row in before["batteries"]]
    broken = tmp_path / "깨진 로트 1"
    shutil.copytree(lot, broken)
    truncated = images_of(broken, f"CT_*_{ids[0]}_*.jpg")[0]
    truncated.write_bytes(truncated.read_bytes()[: truncated.stat().st_size // 2])
    empty = images_of(broken, f"CT_*_{ids[1]}_*.jpg")[3]
    empty.write_bytes(b"")
    text = images_of(broken, f"RGB_*_{int(ids[2]):04d}_*.png")[0]
    text.write_text("이것은 그림이 아닙니다", encoding="utf-8")
    deep = images_of(broken, f"RGB_*_{int(ids[3]):04d}_*.png")[0]
    _as_16_bit(deep)
    odd = images_of(broken, f"CT_*_{ids[4]}_*.json")[0]
    _make_polygon_odd(odd)
    for path in images_of(broken, f"RGB_*_{int(ids[5]):04d}_*.png"):
        path.unlink()

    code, after = inspect_json(capsys, broken, tmp_path / "after")
    rows = {row["battery_id"]: row for row in after["batteries"]}
    untouched = {row["battery_id"]: row for row in before["batteries"]}
    for battery_id, bad in zip(ids[:3], (truncated, empty, text), strict=True):
        assert rows[battery_id]["kind"] in ("review", "not_inspected") or (
            rows[battery_id]["kind"] == untouched[battery_id]["kind"] != "normal"
        )
        assert any(bad.name in reason for reason in rows[battery_id]["reasons"])
    for battery_id in ids[3:5]:
        assert rows[battery_id]["kind"] == untouched[battery_id]["kind"]
    assert rows[ids[5]]["kind"] != "normal"
    assert rows[ids[5]]["reasons"]
    assert after["status"] == "completed"
    assert code in (0, 1)


def _as_16_bit(path: Path) -> None:
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    path.write_bytes(cv2.imencode(".png", pixels.astype(np.uint16) * 257)[1].tobytes())


def _make_polygon_odd(path: Path) -> None:
    label = json.loads(path.read_text(encoding="utf-8"))
    label["defects"] = [{"id": 1, "name": "Porosity", "points": [10, 10, 20, 10, 20, 30, 7]}]
    label["image_info"]["is_normal"] = False
    path.write_text(json.dumps(label), encoding="utf-8")


@pytest.mark.long
def test_a_normal_battery_that_has_lost_a_file_is_review(lot, tmp_path, capsys):
    _, before = inspect_json(capsys, lot, tmp_path / "before")
    battery_id = next(row["battery_id"] for row in before["batteries"] if row["kind"] == "normal")
    copy = tmp_path / "copy"
    shutil.copytree(lot, copy)
    slices = images_of(copy, f"CT_*_{battery_id}_*.jpg")
    lost = slices[0].with_name(f"{slices[0].stem} (1).dcm")
    lost.write_bytes(b"DICM")
    code, after = inspect_json(capsys, copy, tmp_path / "after", "--battery", battery_id)
    (row,) = after["batteries"]
    assert code == 0
    assert row["kind"] == "review"
    assert any(lost.name in reason for reason in row["reasons"])


def test_a_system_without_a_model_says_so_and_holds_nothing_up(lot, tmp_path, capsys):
    models, sessions = copy_ensemble(tmp_path / "models"), tmp_path / "sessions"
    battery_id = sorted(truth(lot))[0]
    chosen = ("--models", str(models), "--battery", battery_id)
    code, session = inspect_json(capsys, lot, sessions, *chosen, systems="ensemble,vlm,vlg")
    assert (code, session["status"]) == (0, "completed")
    (path,) = sessions.glob("*/batteries/*.json")
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["systems"] == {
        "ensemble": "done",
        "vlm": "not_installed",
        "vlg": "not_installed",
    }


def test_without_models_nothing_is_called_normal(lot, tmp_path, capsys):
    none = ("--models", str(tmp_path))
    code, session = inspect_json(capsys, lot, tmp_path, *none, systems="ensemble,vlm,vlg")
    assert code == 1
    assert {row["kind"] for row in session["batteries"]} == {"not_inspected"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "no-such-folder"),
        ("inspect", "."),
        ("inspect", ".", "--systems", "ensemble,magic"),
        ("inspect", ".", "--device", "abacus"),
        ("report", "no-such-session", "--out", "out"),
        ("report", ".", "--formats", "docx", "--out", "out"),
        ("lot",),
        ("lot", "out", "--defects", "7"),
        ("polish",),
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_line_and_exit_2(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert station(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("station: ")
    assert "Value error" not in captured.err


def test_headless_commands_import_no_qt():
    probe = (
        "import sys, app.__main__, app.cli.inspect, inspection.report, app.cli.lot, app.cli.demo\n"
        "sys.exit(any(name.startswith('PySide6') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", probe], cwd=ROOT, check=False).returncode == 0


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """Return what `station demo` is asked to inspect, while it inspects nothing."""
    asked = []
    monkeypatch.setenv("STATION_LANGUAGE", "en")
    monkeypatch.setattr("app.cli.demo.prepare_demo_lot", lambda: tmp_path)
    monkeypatch.setattr("app.cli.demo.inspect_lot", lambda options: asked.append(options) or 0)
    return asked


def test_the_demo_asks_all_three_systems_of_the_models_in_use(demo, tmp_path):
    assert station("demo", "--headless") == 0
    (options,) = demo
    assert (options.lot, options.systems, options.models) == (tmp_path, "ensemble,vlm,vlg", None)


def test_without_a_display_the_demo_says_that_it_goes_on(demo, monkeypatch, capsys):
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert station("demo") == 0
    assert len(demo) == 1
    told = capsys.readouterr().err
    assert told == "station: This machine has no display. Going on without a window.\n"


def test_without_a_library_of_qt_the_demo_stops_with_what_to_install(demo, monkeypatch, capsys):
    def load(path: str) -> None:
        raise OSError("libxcb-cursor.so.0: cannot open shared object file")

    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    monkeypatch.setattr("app.platform_check.ctypes.CDLL", load)
    assert station("demo") == 2
    assert demo == []
    (line,) = capsys.readouterr().err.splitlines()
    assert "libxcb-cursor.so.0" in line
    assert "apt-get install libegl1 " in line
    assert "libxcb-cursor0" in line


def test_a_models_folder_that_is_not_there_is_refused_before_anything_is_done(lot, capsys):
    assert station("inspect", lot, "--models", lot / "nowhere") == 2
    assert "nowhere is no folder" in capsys.readouterr().err
