"""The evaluation report: complete in both languages, self-contained, and true to the figures."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import cv2
import matplotlib
import numpy as np
import pytest

from inspection.paths import resource_path
from inspection.records import Rect
from inspection.synthetic import SyntheticLot, write_lot
from training.__main__ import app
from training.evaluation.config import ReportConfig
from training.evaluation.evaluate import Data, Evaluation, evaluate
from training.report.pictures import draw_pictures
from training.report.thumbnails import WorstBatteries, outline
from training.report.write import write_report


class Page(HTMLParser):
    """Texts, links and balance of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text += data


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, WorstBatteries]:
    spec = SyntheticLot(batteries=4, slices=3, views=1, canvas=256, seed=4, defects=0.5)
    lot = write_lot(tmp_path_factory.mktemp("lots") / "line", spec, workers=1)
    worst = WorstBatteries(ReportConfig(batteries_shown=2, picture_side=120))
    # One slice an axis is no run: every battery is left to the operator, the good ones overkilled.
    return evaluate(resource_path("models"), Data((lot,)), on_battery=worst), worst


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_needs_nothing_else(judged, language, tmp_path):
    evaluation, worst = judged
    path = write_report(evaluation, worst.batteries, tmp_path / "out", language)
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    assert page.sources
    assert all(source.startswith("data:image/") for source in page.sources)
    assert "script" not in page.tags
    assert "evaluation_" not in page.text  # a word without wording would show its key
    for bundle in evaluation.bundles.values():
        assert bundle.sha256 in page.text
    figures = evaluation.figures
    assert f"{figures['models']['ct_cnn']['macro_f1']:.3f}" in page.text
    names = [
        *figures["batteries"]["escaped_batteries"],
        *figures["batteries"]["overkilled_batteries"],
    ]
    assert names
    assert all(name in page.text for name in names)
    assert bool(re.search("[가-힣]", page.text)) == (language == "ko")


def test_json_and_pictures_lie_beside_the_page(judged, tmp_path):
    evaluation, worst = judged
    write_report(evaluation, worst.batteries, tmp_path)
    document = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert document["models"] == json.loads(json.dumps(evaluation.figures["models"]))
    missed = document["misjudged_images"]["ct_cnn"]["escapes"]
    assert len(missed) == evaluation.figures["models"]["ct_cnn"]["defect"]["escapes"]
    stems = {path.stem for path in (tmp_path / "pictures").glob("*.png")}
    for name in ("confusion", "reliability", "roc", "precision_recall", "scores"):
        assert f"ct_cnn_{name}" in stems
    for path in (tmp_path / "pictures").iterdir():
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        assert min(pixels.shape[:2]) > 300
        assert pixels.std() > 5
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "evaluation.html", "evaluation.json", "pictures",
    ]  # fmt: skip


def test_pictures_repeat_and_leave_no_global_state(judged):
    before = dict(matplotlib.rcParams)
    first, second = (draw_pictures(judged[0]) for _ in range(2))
    assert first == second
    assert dict(matplotlib.rcParams) == before
    from matplotlib import _pylab_helpers

    assert _pylab_helpers.Gcf.get_all_fig_managers() == []


def test_a_lot_of_good_batteries_has_a_report_too(tmp_path, capsys):
    from inspection.console import run

    spec = SyntheticLot(batteries=1, slices=3, views=1, canvas=256, seed=2, defects=0.0)
    lot = write_lot(tmp_path / "good", spec, workers=1)
    arguments = ["evaluate", str(resource_path("models")), "--data", str(lot)]
    assert run(app, "trainer", [*arguments, "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("evaluation.html")
    names = {path.stem for path in (tmp_path / "out" / "pictures").iterdir()}
    assert "ct_cnn_scores" in names
    assert "ct_cnn_roc" not in names


def test_no_more_batteries_are_shown_than_asked_for(judged):
    _, worst = judged
    shown = worst.batteries
    assert 0 < len(shown) <= 2
    assert all(0 < len(item.thumbnails) <= 3 for item in shown)
    for item in shown:
        for thumbnail in item.thumbnails:
            assert max(thumbnail.plain.width, thumbnail.plain.height) == 120


def test_an_outline_goes_around_the_defect_not_over_it():
    picture = np.zeros((100, 100, 3), np.uint8)
    sliver = np.array([[150, 120], [152, 120], [152, 180], [150, 180]], np.float32)
    drawn = outline(picture, [sliver], Rect(100, 100, 100, 100), scale=1.0)
    assert not picture.any()
    assert not drawn[20:81, 50:53].any()
    assert drawn[50, 40:50].any()
    assert drawn[50, 53:62].any()
