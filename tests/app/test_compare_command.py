"""``station compare`` as its user meets it."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from builders.compared_sessions import (
    NOW,
    POROSITY,
    battery_result,
    box,
    ensemble_image,
    lot_name,
    vlg_image,
    vlm_image,
    write_lot,
    write_session,
)

from app.__main__ import app
from inspection.console import run
from inspection.messages import wordings

NAMES = [f"CT_cell_pouch_{n:03d}_z_001.jpg" for n in range(6)]
HOSTILE = "=1+1 [bold]<b>수식</b>"


def station(*arguments: str | Path) -> int:
    return run(app, "station", ["compare", *map(str, arguments)])


def results(vlm: str):
    return [
        battery_result(
            f"{n:03d}",
            [ensemble_image(lot_name(name), "defect", [box()])],
            [vlm_image(lot_name(name), vlm, [box()], POROSITY, HOSTILE)],
            [vlg_image(lot_name(name), "defect")],
        )
        for n, name in enumerate(NAMES)
    ]


@pytest.fixture
def sessions(tmp_path: Path) -> list[Path]:
    pore = {"defects": [("porosity", box())]}
    lot = write_lot(tmp_path / "로트", dict.fromkeys(NAMES, pore))
    return [
        write_session(tmp_path / "s", lot, results(word), name=NOW + timedelta(days=day))
        for day, word in enumerate(("defect", "normal"))
    ]


@pytest.mark.parametrize(("language", "words"), [("en", "Agreement"), ("ko", "일치도")])
def test_one_session_prints_figures_and_agreement(sessions, capsys, language, words):
    assert station(sessions[0], "--language", language) == 0
    printed = capsys.readouterr().out
    assert words in printed
    assert "100.0" in printed
    assert not [word for word in wordings() if word in printed]


def test_json_is_one_document_on_stdout(sessions, capsys):
    assert station(sessions[1], "--json", "--language", "en") == 0
    (session,) = json.loads(capsys.readouterr().out)["sessions"]
    assert session["systems"] == ["ensemble", "vlm", "vlg"]
    assert session["figures"]["vlm"]["escape_rate"]["value"] == 1.0
    interval = session["figures"]["ensemble"]["recall"]["interval"]
    assert interval["method"] == "clopper_pearson"
    assert session["figures"]["ensemble"]["f1"]["interval"] is None
    assert all(battery["conflict"] for battery in session["batteries"])
    assert session["batteries"][0]["images"][0]["label"] == POROSITY


def test_two_sessions_tell_what_changed(sessions, capsys, tmp_path):
    assert station(*sessions, "--json", "--out", tmp_path / "out", "--language", "en") == 0
    document = json.loads(capsys.readouterr().out)
    vlm = document["changes"]["systems"][1]
    assert (vlm["system"], vlm["images"], len(vlm["changes"])) == ("vlm", 6, 6)
    assert vlm["changes"][0]["before"] == "defect"
    assert document["changes"]["verdicts"] == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "changes.csv",
        "comparison.csv",
        "comparison.json",
        "comparison_figures.csv",
    ]
    assert station(*sessions, "--language", "en") == 0
    assert "Judgements of images that changed" in capsys.readouterr().out


def test_csv_opens_in_excel_without_formulas(sessions, tmp_path):
    assert station(sessions[0], "--out", tmp_path / "out", "--language", "ko") == 0
    raw = (tmp_path / "out/comparison.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert rows[0]["vlm_explanation"] == f"'{HOSTILE}"
    assert rows[0]["vlg_boxes"] == "10 10 20 20 0.8"
    assert (rows[0]["agreement"], rows[0]["label"]) == ("agree", POROSITY)
    raw = (tmp_path / "out/comparison_figures.csv").read_bytes()
    figures = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    (recall,) = [r for r in figures if (r["of"], r["figure"]) == ("vlm", "recall")]
    assert (recall["value"], recall["interval"], recall["count"]) == ("1.0", "clopper_pearson", "6")


@pytest.mark.parametrize("arguments", [[], ["nowhere"], ["{session}", "nowhere"]])
def test_bad_input_is_one_line(sessions, tmp_path, capsys, arguments):
    given = [a.format(session=sessions[0]) for a in arguments]
    assert station(*given) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    (tmp_path / "file").write_bytes(b"")
    assert station(sessions[0], "--out", tmp_path / "file/out") == 2
    assert station(sessions[0], "--language", "fr") == 2


def test_the_sessions_are_only_read(sessions, capsys):
    before = {path: path.stat().st_mtime_ns for path in sessions[0].rglob("*")}
    assert station(*sessions) == 0
    assert {path: path.stat().st_mtime_ns for path in sessions[0].rglob("*")} == before
