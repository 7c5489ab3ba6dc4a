"""The doctor tells what there is, finds what is wrong, and packs it for support."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from builders.ensemble_models import copy_ensemble

import inspection
from app.__main__ import app
from app.cli.doctor import LOG_TAIL
from app.folders import logs_folder
from app.settings import default_settings_path
from inspection.console import run


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user's own folders, with a name in Korean."""
    home = tmp_path / "사용자 하나"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("STATION_SETTINGS", raising=False)
    monkeypatch.setenv("STATION_LANGUAGE", "en")
    return home


def doctor(*arguments: str | Path) -> int:
    return run(app, "station", ["doctor", *map(str, arguments)])


def test_it_tells_of_program_libraries_devices_models_window_and_folders(capsys, home, tmp_path):
    assert doctor("--models", copy_ensemble(tmp_path / "models")) == 0
    told = capsys.readouterr().out
    for words in (
        f"Version: {inspection.__version__}",
        "Runs from: its source code",
        "torch: ",
        "Memory (free): ",
        "ct_cnn: ",
        "(demo model, trained on synthetic images)",
        "vlm: not installed",
        "Qt: offscreen",
        f"Sessions: {home}",
    ):
        assert words in told
    assert "\n!" not in told


def test_it_speaks_korean(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("STATION_LANGUAGE", "ko")
    assert doctor("--models", copy_ensemble(tmp_path / "models")) == 0
    told = capsys.readouterr().out
    assert "실행 형태: 소스 코드" in told
    assert "vlm: 미설치" in told


def test_an_altered_model_is_a_problem_with_a_way_out(capsys, tmp_path):
    models = copy_ensemble(tmp_path / "models")
    (models / "rgb_ae" / "weights.safetensors").write_bytes(b"")
    assert doctor("--models", models) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("! ")]
    assert line.startswith("! rgb_ae: ")
    assert line.endswith("Install the model again.")


def test_a_folder_that_cannot_be_written_is_a_problem(capsys):
    # Nobody makes files there, not even root.
    assert doctor("--session-dir", "/proc/1/sessions") == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("! ")]
    assert line.startswith("! Sessions: /proc/1/sessions")


def test_without_a_display_it_says_so_and_goes_on(capsys, monkeypatch):
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert doctor() == 0
    assert "Qt: This machine has no display." in capsys.readouterr().out


def test_the_support_bundle_has_report_settings_and_the_end_of_the_logs(tmp_path, capsys):
    logs_folder().mkdir(parents=True)
    (logs_folder() / "station.log").write_bytes(b"old" + b"x" * LOG_TAIL)
    (logs_folder() / "crash.log").write_text("a crash", encoding="utf-8")
    default_settings_path().parent.mkdir(parents=True)
    default_settings_path().write_text('{"operator": "Kim"}', encoding="utf-8")
    bundle = tmp_path / "지원 묶음.zip"
    assert doctor("--bundle", bundle) == 0
    assert str(bundle) in capsys.readouterr().out
    with zipfile.ZipFile(bundle) as archive:
        assert sorted(archive.namelist()) == [
            "doctor.txt",
            "logs/crash.log",
            "logs/station.log",
            "settings.json",
        ]
        assert archive.read("logs/station.log") == b"x" * LOG_TAIL
        assert "torch: " in archive.read("doctor.txt").decode()


def test_a_bundle_that_cannot_be_written_is_one_line_and_exit_2(tmp_path, capsys):
    assert doctor("--bundle", tmp_path / "nowhere" / "bundle.zip") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("station: The support bundle ")
