"""A model is released and taken back as a person types it, and the station says who did it."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from builders.small_models import write_small_models

import app.__main__
import training.__main__
from inspection.console import run
from inspection.modelstore.bundle import load_bundle
from inspection.modelstore.bundle_writing import rewrite_bundle
from inspection.modelstore.seen import SEEN_FILE, SeenImages
from inspection.people.roles import load_people
from inspection.people.users import UserStore
from inspection.seals.log import StationLog
from inspection.synthetic import SyntheticLot, write_lot
from training.autoencoder.calibrate import choose_threshold

PIN = "246813"


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch, station_data):
    monkeypatch.setenv("STATION_SETTINGS", str(tmp_path / "settings.json"))
    monkeypatch.setenv("STATION_SITE", "")
    monkeypatch.setenv("STATION_LANGUAGE", "en")


@pytest.fixture
def lot(tmp_path) -> Path:
    spec = SyntheticLot(batteries=4, slices=3, views=2, canvas=128, seed=77, defects=0.9)
    return write_lot(tmp_path / "lot", spec, workers=1)


@pytest.fixture
def models(tmp_path) -> Path:
    folder = write_small_models(tmp_path / "models")
    choose_threshold(folder / "rgb_ae", 1e-9)
    return folder


@pytest.fixture
def blind(tmp_path) -> Path:
    """Return a run whose model lets everything pass."""
    run_folder = write_small_models(tmp_path / "run")
    shutil.rmtree(run_folder / "ct_cnn")
    rewrite_bundle(
        load_bundle(run_folder / "rgb_ae"),
        {SEEN_FILE: SeenImages(frozenset()).to_bytes()},
        name="blind",
    )
    choose_threshold(run_folder / "rgb_ae", 0.999999)
    return run_folder


def trainer(*words) -> int:
    return run(training.__main__.app, "trainer", [str(word) for word in words])


def station(*words) -> int:
    return run(app.__main__.app, "station", [str(word) for word in words])


def digest(models: Path) -> str:
    return load_bundle(models / "rgb_ae").sha256


@pytest.mark.long
def test_a_blind_model_waits_for_a_quality_user_whose_name_then_stands_everywhere(
    lot, models, blind, tmp_path, monkeypatch, capsys
):
    before = digest(models)
    words = ("release", blind, "--models", models, "--data", lot)
    assert trainer(*words) == 1
    said = capsys.readouterr()
    assert "Escapes could rise by" in said.out
    assert "Not released" in said.err
    assert digest(models) == before
    assert not (models / "releases.jsonl").exists()

    # Nobody of the station may sign yet; then it is somebody of another role.
    assert trainer(*words, "--signed-by", "Kim") == 2
    assert "--role quality" in capsys.readouterr().err
    users = UserStore(load_people(), StationLog())
    boss = users.add_first("Seo", PIN)
    users.add("Kim", "quality", "135791", boss)
    users.sign_in("Kim", "135791", "975310")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PIN}\n"))
    assert trainer(*words, "--signed-by", "Seo") == 2
    assert "may not release" in capsys.readouterr().err
    assert digest(models) == before

    monkeypatch.setattr("sys.stdin", io.StringIO("975310\n"))
    assert trainer(*words, "--signed-by", "Kim", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["released"]
    assert document["comparison"]["measured"]["escape"]["method"] == "tango"
    assert digest(models) == document["comparison"]["challenger"]["sha256"] != before

    assert station("models", "list", "--models", models) == 0
    assert "Kim" in capsys.readouterr().out
    assert station("models", "verify", "--models", models) == 0
    sessions = tmp_path / "sessions"
    inspect = ("inspect", lot, "--models", models, "--session-dir", sessions)
    station(*inspect, "--systems", "ensemble", "--json")
    (session,) = sessions.iterdir()
    record = json.loads((session / "session.json").read_text(encoding="utf-8"))
    (kept,) = [model["release"] for model in record["models"] if model["slot"] == "rgb_ae"]
    assert kept["signed_by"] == "Kim"
    assert station("report", session, "--formats", "html,csv", "--out", tmp_path / "report") == 0
    (html,) = (tmp_path / "report").rglob("*.html")
    assert "signed for and released by Kim" in html.read_text(encoding="utf-8")

    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO("000000\n"))
    assert trainer("rollback", "rgb_ae", "--models", models, "--signed-by", "Kim") == 2
    assert digest(models) != before
    assert trainer("rollback", "rgb_ae", "--models", models) == 0
    assert digest(models) == before


@pytest.mark.long
def test_a_model_that_came_in_another_way_is_told_by_verify_and_doctor(
    lot, models, blind, tmp_path, monkeypatch, capsys
):
    site = tmp_path / "site"
    site.mkdir()
    (site / "site.yaml").write_text("release: {margin: 1.0}\n", encoding="utf-8")
    words = ("release", blind, "--models", models, "--data", lot, "--site", site)
    # A site may allow more; the command may ask for less, and not for more than the site allows.
    assert trainer(*words, "--compare-only", "--margin", "0.01") == 1
    assert trainer(*words) == 0
    assert trainer("rollback", "rgb_ae", "--models", models, "--site", site) == 0
    capsys.readouterr()
    assert trainer("export", blind, "--out", models, "--force") == 0
    assert "was never released" in capsys.readouterr().err
    assert station("models", "verify", "rgb_ae", "--models", models) == 1
    assert "was never released" in capsys.readouterr().out
    assert station("doctor", "--models", models) == 1
    assert "was never released" in capsys.readouterr().out
    monkeypatch.setenv("STATION_SITE", "")
    assert trainer("release", blind, "--models", models, "--data", lot, "--margin", "0.5") == 2
    assert "the site allows at most" in capsys.readouterr().err
