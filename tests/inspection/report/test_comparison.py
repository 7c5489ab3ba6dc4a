"""The comparison in every report format, from real session folders and pictures on the disk."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from html import unescape
from pathlib import Path

import pytest
from builders.compared_sessions import (
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
from pypdf import PdfReader

from inspection.lot.scan import scan_lot
from inspection.messages import Message, wordings
from inspection.report import comparison as report_comparison
from inspection.report import write_report
from inspection.report.pictures import drawn_pictures
from inspection.results import ModelProvenance

NAMES = [f"CT_cell_pouch_{n:03d}_z_001.jpg" for n in range(6)]
HOSTILE = '</p><script>alert("x")</script> <b>굵게</b> & {{ 7 * 7 }} %s {0}'


def results(*, method="worst_and_even", explanation=HOSTILE, vlm="defect"):
    """Return batteries: 000 all normal, the others in conflict; 001 stepped down."""
    found = []
    for number, name in enumerate(NAMES):
        image = lot_name(name)
        plain = number == 0
        steps = {"vlm": [Message(code="memory_step_batch", params={"batch": 1})]}
        found.append(
            battery_result(
                f"{number:03d}",
                [ensemble_image(image, "normal")],
                [
                    vlm_image(image, "normal")
                    if plain
                    else vlm_image(image, vlm, [box()], POROSITY, explanation)
                ],
                [vlg_image(image, "normal" if plain else "defect", [] if plain else [box(20)])],
                method=method,
                memory_steps=steps if number == 1 else {},
            )
        )
    return found


@pytest.fixture(scope="module")
def lot(tmp_path_factory) -> Path:
    pore = {"defects": [("porosity", box())]}
    labels = {name: {} if name == NAMES[0] else pore for name in NAMES}
    return write_lot(tmp_path_factory.mktemp("로트") / "lot", labels)


@pytest.fixture(scope="module")
def session(lot, tmp_path_factory) -> Path:
    prompted = ModelProvenance(
        slot="vlm",
        name="Qwen2-VL",
        sha256="cd" * 32,
        prompt="1-ab12",
        versions={"transformers": "4.57.6"},
    )
    return write_session(tmp_path_factory.mktemp("s"), lot, results(), models=[prompted])


@pytest.fixture(scope="module", params=["en", "ko"])
def outputs(request, session, tmp_path_factory) -> tuple[str, Path]:
    out = tmp_path_factory.mktemp("out")
    write_report(session, ["pdf", "html", "csv", "json"], out, request.param)
    return request.param, out


def pdf_text(path: Path) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(path).pages)


def said(code: str, language: str) -> str:
    return wordings()[code][language]


def test_every_format_carries_the_comparison(outputs):
    language, out = outputs
    assert sorted(path.name for path in out.iterdir()) == [
        "audit.csv",
        "audit.json",
        "batteries.csv",
        "comparison.csv",
        "comparison.json",
        "comparison_figures.csv",
        "gate.csv",
        "gate.json",
        "models.csv",
        "models.json",
        "report.html",
        "report.pdf",
        "result.json",
        "summary.csv",
    ]
    pages = {
        "pdf": pdf_text(out / "report.pdf").replace("\n", ""),
        "html": unescape((out / "report.html").read_text(encoding="utf-8")),
    }
    for text in pages.values():
        for code in (
            "report_comparison",
            "report_comparison_is_conflict",
            "report_comparison_f1",
            "report_comparison_box_f1",
            "report_comparison_agreement",
            "report_comparison_chosen_worst_and_even",
        ):
            assert said(code, language) in text
        assert "1-ab12" in text
        assert "transformers 4.57.6" in text
        assert "IoU 0.33" in text
        assert not [code for code in wordings() if code in text]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_chapter_names_the_demo_models(lot, tmp_path, language):
    demo = ModelProvenance(slot="vlg", name="demo-dino", sha256="cd" * 32, demo=True)
    real = ModelProvenance(slot="vlm", name="Qwen2-VL", sha256="ab" * 32)
    session = write_session(tmp_path / "s", lot, results(), models=[demo, real])
    write_report(session, ["pdf", "html", "json"], tmp_path / "out", language)
    start, end = said("comparison_demo_models", language).split("{models}")
    remark = f"{start}demo-dino{end}"
    page = unescape((tmp_path / "out/report.html").read_text(encoding="utf-8"))
    assert remark in page
    printed = "".join(pdf_text(tmp_path / "out/report.pdf").split())
    assert "".join(remark.split()) in printed
    (compared,) = json.loads((tmp_path / "out/comparison.json").read_text("utf-8"))["sessions"]
    assert remark in compared["remarks"]


def test_figures_say_that_the_choice_favours_the_ensemble(outputs):
    language, out = outputs
    start = said("comparison_favours_ensemble", language)[:20]
    assert start in pdf_text(out / "report.pdf")
    assert start in (out / "report.html").read_text(encoding="utf-8")
    assert start in (out / "comparison.json").read_text(encoding="utf-8")
    raw = (out / "comparison_figures.csv").read_text(encoding="utf-8-sig")
    assert {row["chosen"] for row in csv.DictReader(io.StringIO(raw))} == {"worst_and_even"}


def test_hostile_explanations_are_text(outputs):
    _, out = outputs
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "{{ 7 * 7 }} %s {0}" in html
    assert "<b>굵게</b> & {{ 7 * 7 }}" in pdf_text(out / "report.pdf").replace("\n", " ")
    document = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    (session,) = document["sessions"]
    assert session["batteries"][1]["images"][0]["systems"]["vlm"]["explanation"] == HOSTILE


def test_memory_steps_are_told_where_they_were_taken(outputs):
    language, out = outputs
    html = (out / "report.html").read_text(encoding="utf-8")
    step = Message(code="memory_step_batch", params={"batch": 1}).text(language)
    assert html.count(step) == 1


def test_only_batteries_with_something_to_see_are_in_columns(outputs):
    language, out = outputs
    html = (out / "report.html").read_text(encoding="utf-8")
    title = re.escape(said("report_comparison", language))
    assert re.findall(rf"<h3>{title}: (\d+)</h3>", html) == ["001", "002", "003", "004", "005"]
    columns = html[html.index('id="comparison"') :]
    # Three systems, an image a battery.
    assert columns.count("data:image/jpeg;base64,") == 15


def test_csv_has_a_row_an_image_and_an_interval_a_figure(outputs):
    _, out = outputs
    raw = (out / "comparison.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert [row["battery_id"] for row in rows] == [f"{n:03d}" for n in range(6)]
    assert (rows[0]["agreement"], rows[1]["agreement"]) == ("agree", "conflict")
    assert float(rows[1]["iou_vlm_vlg"]) == pytest.approx(1 / 3, abs=1e-6)
    raw = (out / "comparison_figures.csv").read_text(encoding="utf-8-sig")
    figures = {(r["of"], r["figure"]): r for r in csv.DictReader(io.StringIO(raw))}
    assert figures["vlm", "f1"]["value"] == "1.0"
    assert figures["ensemble", "recall"]["value"] == "0.0"
    assert figures["ensemble", "recall"]["interval"] == "clopper_pearson"
    assert figures["vlm", "mean_iou"]["value"] == "1.0"
    assert float(figures["ensemble-vlm", "agreement"]["value"]) == pytest.approx(1 / 6, abs=1e-6)


def test_the_number_of_pictures_is_bounded(session, tmp_path, monkeypatch):
    monkeypatch.setattr(report_comparison, "BATTERIES_PICTURED", 2)
    monkeypatch.setattr(report_comparison, "SECTIONS_SHOWN", 3)
    write_report(session, ["html"], tmp_path, "en")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.count("data:image/jpeg;base64,") == 6
    assert html.count(said("report_comparison_pictures_left_out", "en")) == 1
    assert "2 more batteries are in comparison.csv." in html


def test_without_its_lot_the_report_has_words_and_no_pictures(lot, tmp_path):
    own = Path(shutil.copytree(lot, tmp_path / "lot"))
    folder = write_session(tmp_path / "s", own, results())
    shutil.rmtree(own)
    write_report(folder, ["pdf", "html"], tmp_path / "out", "en")
    html = unescape((tmp_path / "out/report.html").read_text(encoding="utf-8"))
    assert "data:image/jpeg" not in html
    assert said("report_comparison_no_source", "en") in html
    assert "only the agreement is shown" in html
    assert said("report_comparison_f1", "en") not in html


def test_an_unreadable_image_says_so(lot, tmp_path):
    own = Path(shutil.copytree(lot, tmp_path / "lot"))
    (own / lot_name(NAMES[1])).write_bytes(b"no picture")
    folder = write_session(tmp_path / "s", own, results())
    write_report(folder, ["html", "pdf"], tmp_path / "out", "en")
    html = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert f"The picture {lot_name(NAMES[1])} is missing or damaged." in html


def test_a_very_long_answer_fits_on_the_pages(lot, tmp_path):
    folder = write_session(tmp_path / "s", lot, results(explanation="설명 " * 1500)[:2])
    write_report(folder, ["pdf"], tmp_path / "out", "ko")
    # Of the battery as a whole, and of the image.
    assert pdf_text(tmp_path / "out/report.pdf").count("설명") >= 2 * 1500


def test_a_selection_is_compared_by_itself(session, tmp_path):
    write_report(session, ["csv", "html"], tmp_path, "en", ["000"])
    raw = (tmp_path / "comparison.csv").read_text(encoding="utf-8-sig")
    assert [r["battery_id"] for r in csv.DictReader(io.StringIO(raw))] == ["000"]
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert said("report_comparison_sections_none", "en") in html


def test_the_ensemble_alone_has_no_comparison(lot, tmp_path):
    alone = [battery_result(r.battery_id, r.images) for r in results()]
    folder = write_session(tmp_path / "s", lot, alone)
    written = write_report(folder, ["csv", "json", "html", "pdf"], tmp_path / "out", "en")
    assert not [path for path in written if "comparison" in path.name]
    assert 'id="comparison"' not in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_boxes_are_drawn_where_they_are(lot):
    (ref, *_) = scan_lot(lot).batteries[0].ct
    plain, marked = drawn_pictures(ref, [[], [box(10, 10, 40, 20)]]) or ()
    assert (plain.width, plain.height) == (marked.width, marked.height)
    assert plain.data != marked.data
    # A box outside of the content shows the whole image.
    (whole,) = drawn_pictures(ref, [[box(90, 70, 10, 10)]]) or ()
    assert (whole.width, whole.height) == (100, 80)
