"""Figures over a session: by real labels on the disk, with intervals over batteries."""

from __future__ import annotations

import re
import shutil
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
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from inspection.comparison.session import read_comparison
from inspection.errors import ReportError
from inspection.messages import wordings
from inspection.results import SystemName
from inspection.session.store import open_to_read

BATTERIES = 8
DEFECT = box(10, 10, 40, 20)


def ct(battery: int, number: int) -> str:
    return f"CT_cell_pouch_{battery:03d}_z_{number:03d}.jpg"


def labels() -> dict[str, dict]:
    """Every battery has a slice with a pore, 1, and one without, 2."""
    pore = {"defects": [("porosity", DEFECT)]}
    return {ct(b, n): pore if n == 1 else {} for b in range(BATTERIES) for n in (1, 2)}


def results(words, *, method="sample", boxes=DEFECT):
    """Return batteries; ``words`` gives what is said of (system, battery, slice)."""
    found = []
    for battery in range(BATTERIES):
        names = [lot_name(ct(battery, n)) for n in (1, 2)]
        said = {
            system: [words(system, battery, n) for n in (1, 2)]
            for system in ("ensemble", "vlm", "vlg")
        }

        def marked(word, boxes=boxes):
            return [boxes] if word == "defect" else []

        found.append(
            battery_result(
                f"{battery:03d}",
                [
                    ensemble_image(name, word, marked(word))
                    for name, word in zip(names, said["ensemble"], strict=True)
                ],
                [
                    vlm_image(name, word, marked(word), POROSITY if word == "defect" else None)
                    for name, word in zip(names, said["vlm"], strict=True)
                ],
                [
                    vlg_image(name, word, marked(word))
                    for name, word in zip(names, said["vlg"], strict=True)
                ],
                method=method,
            )
        )
    return found


def truth(system: SystemName, battery: int, number: int):
    return "defect" if number == 1 else "normal"


def mixed(system: SystemName, battery: int, number: int):
    """Return a perfect ensemble, a VLM that abstains and errs, and a VLG that sees nothing."""
    if system == "ensemble":
        return truth(system, battery, number)
    if system == "vlg":
        return "normal"
    if battery in (0, 1):
        return "review"
    if battery == 2:
        return "failed"
    return "defect" if battery in (3, 4) else truth(system, battery, number)


@pytest.fixture
def lot(tmp_path: Path) -> Path:
    return write_lot(tmp_path / "로트", labels())


def compared(tmp_path: Path, lot: Path, batteries, **record):
    return read_comparison(open_to_read(write_session(tmp_path / "s", lot, batteries, **record)))


def codes(found) -> list[str]:
    return [remark.code for remark in found.remarks]


def test_figures_are_those_of_scikit_learn(tmp_path, lot):
    found = compared(tmp_path, lot, results(mixed))
    vlm = found.figures[1]
    pairs = [(mixed("vlm", b, n), truth("vlm", b, n)) for b in range(BATTERIES) for n in (1, 2)]
    # To scikit-learn an abstention on a defect is a miss, and a third answer is simply wrong.
    said, true = zip(*pairs, strict=True)
    called = [word == "defect" for word in said]
    defect = [word == "defect" for word in true]
    values = {name: figure.value for name, figure in vlm.figures.items()}
    assert values["f1"] == pytest.approx(f1_score(defect, called))
    assert values["precision"] == pytest.approx(precision_score(defect, called))
    assert values["recall"] == pytest.approx(recall_score(defect, called))
    assert values["accuracy"] == pytest.approx(accuracy_score(true, said))
    assert values["overkill_rate"] == pytest.approx(2 / 8)
    assert (vlm.images, vlm.decided, vlm.labelled, vlm.defects) == (16, 10, 16, 8)
    assert values["seconds"] == pytest.approx(2.0)


def test_an_abstention_is_never_right_and_no_escape(tmp_path, lot):
    def silent(system, battery, number):
        if system == "ensemble":
            return truth(system, battery, number)
        return "review" if system == "vlm" else "failed"

    found = compared(tmp_path, lot, results(silent))
    for figures in found.figures[1:]:
        values = {name: figure.value for name, figure in figures.figures.items()}
        assert values["accuracy"] == values["recall"] == values["f1"] == 0.0
        assert values["macro_f1"] == values["box_f1"] == values["mean_iou"] == 0.0
        assert values["escape_rate"] == values["overkill_rate"] == 0.0
        assert values["review_rate"] == 1.0
        assert values["precision"] is None
    recall, escape = (found.figures[0].figures[name].value for name in ("recall", "escape_rate"))
    assert (recall, escape) == (1.0, 0.0)
    assert all(pair.agreement.value is None and pair.abstained == 16 for pair in found.pairs)


def test_the_boxes_of_an_abstention_find_nothing(tmp_path, lot):
    batteries = [
        battery_result(
            "000",
            [ensemble_image(lot_name(ct(0, 1)), "defect")],
            [vlm_image(lot_name(ct(0, 1)), "review", [DEFECT], None, "모르겠습니다")],
        )
    ]
    found = compared(tmp_path, lot, batteries)
    assert found.figures[1].figures["box_f1"].value == 0.0


def test_localisation_counts_boxes_over_half_an_overlap(tmp_path, lot):
    found = compared(tmp_path, lot, results(truth))
    ensemble = found.figures[0].figures
    assert (ensemble["box_f1"].value, ensemble["mean_iou"].value) == (1.0, 1.0)
    # Half of the defect is not over one half.
    half = compared(tmp_path, lot, results(truth, boxes=box(10, 10, 20, 20))).figures[0].figures
    assert (half["box_f1"].value, half["mean_iou"].value) == (0.0, 0.5)


def test_intervals_hold_the_figure_and_repeat(tmp_path, lot):
    first = compared(tmp_path, lot, results(mixed)).figures
    again = compared(tmp_path, lot, results(mixed)).figures
    assert first == again
    # Every image took the VLM as long: resamples that are all alike are no interval.
    assert first[1].figures["seconds"].interval is None
    for name, figure in first[1].figures.items():
        if name == "seconds":
            continue
        assert figure.interval is not None, name
        assert figure.interval.low <= figure.value <= figure.interval.high
    f1 = first[1].figures["f1"].interval
    assert f1.high - f1.low > 0.1


def test_without_batteries_enough_there_is_no_interval(tmp_path, lot):
    found = compared(tmp_path, lot, results(mixed)[:3])
    assert all(f.interval is None for f in found.figures[0].figures.values())
    assert "comparison_few_batteries" in codes(found)


def test_pairs_count_abstentions_apart(tmp_path, lot):
    found = compared(tmp_path, lot, results(mixed))
    ensemble_vlm = found.pairs[0]
    assert ensemble_vlm.systems == ("ensemble", "vlm")
    assert (ensemble_vlm.decided, ensemble_vlm.agreed, ensemble_vlm.abstained) == (10, 8, 6)
    assert ensemble_vlm.agreement.value == pytest.approx(0.8)
    assert (ensemble_vlm.typed, ensemble_vlm.types_agreed) == (5, 5)
    assert (ensemble_vlm.located, ensemble_vlm.box_overlap.value) == (5, 1.0)
    # Batteries 3 and 4 have overkills; the VLG, which sees nothing, contradicts every defect.
    assert len(found.conflicts) == BATTERIES


@pytest.mark.parametrize(
    ("method", "code"),
    [("worst_and_even", "comparison_favours_ensemble"), ("even", "comparison_not_drawn")],
)
def test_a_choice_that_is_no_sample_is_remarked(tmp_path, lot, method, code):
    assert code in codes(compared(tmp_path, lot, results(truth, method=method)))
    fair = codes(compared(tmp_path, lot, results(truth)))
    assert not {"comparison_favours_ensemble", "comparison_not_drawn"} & {*fair}


def test_labels_that_contradict_themselves_are_left_out_and_counted(tmp_path):
    changed = labels()
    changed[ct(0, 1)] = {"defects": [("porosity", DEFECT)], "is_normal": True}
    changed[ct(1, 1)] = None
    found = compared(tmp_path, write_lot(tmp_path / "lot", changed), results(truth))
    assert found.figures[0].labelled == 14
    counts = {remark.code: remark.params.get("count") for remark in found.remarks}
    assert counts["comparison_inconsistent"] == 1
    assert counts["comparison_unlabelled"] == 1


def test_without_its_lot_a_session_shows_agreement_only(tmp_path, lot):
    folder = write_session(tmp_path / "s", lot, results(mixed))
    shutil.rmtree(lot)
    found = read_comparison(open_to_read(folder))
    assert "comparison_lot_gone" in codes(found)
    assert not any(figures.labelled for figures in found.figures)
    assert set(found.figures[0].figures) == {"review_rate", "seconds"}
    assert found.pairs[0].agreement.value == pytest.approx(0.8)


def test_without_labels_a_session_shows_agreement_only(tmp_path):
    bare = write_lot(tmp_path / "lot", dict.fromkeys(labels()))
    found = compared(tmp_path, bare, results(mixed))
    assert "comparison_no_labels" in codes(found)
    assert not any(figures.labelled for figures in found.figures)


def test_only_what_every_system_was_asked_about_is_counted(tmp_path, lot):
    batteries = results(truth)
    cut = batteries[0]
    systems = {"ensemble": "done", "vlm": "done", "vlg": "cancelled"}
    batteries[0] = cut.model_copy(update={"systems": systems, "vlg": None})
    found = compared(tmp_path, lot, batteries)
    assert all(figures.images == 14 for figures in found.figures)
    assert {r.code: r.params.get("count") for r in found.remarks}["comparison_left_out"] == 2


def test_a_system_that_failed_on_a_battery_abstained(tmp_path, lot):
    batteries = results(truth)
    systems = {"ensemble": "done", "vlm": "failed", "vlg": "done"}
    batteries[0] = batteries[0].model_copy(update={"systems": systems, "vlm": None})
    found = compared(tmp_path, lot, batteries)
    assert found.figures[1].images == 16
    assert found.figures[1].figures["accuracy"].value == pytest.approx(14 / 16)


def test_the_ensemble_alone_is_measured_on_all_of_its_images(tmp_path, lot):
    alone = [battery_result(r.battery_id, r.images) for r in results(truth)]
    found = compared(tmp_path, lot, alone)
    assert found.systems == ("ensemble",)
    assert found.figures[0].labelled == 16
    assert "comparison_one_system" in codes(found)


def test_a_damaged_battery_is_counted(tmp_path, lot):
    folder = write_session(tmp_path / "s", lot, results(truth))
    (folder / "batteries/000.json").write_bytes(b"{")
    found = read_comparison(open_to_read(folder))
    assert found.figures[0].images == 14
    assert {r.code: r.params.get("count") for r in found.remarks}["comparison_unreadable"] == 1


def test_no_session_is_one_sentence(tmp_path):
    with pytest.raises(ReportError, match="There is no session"):
        open_to_read(tmp_path)


def test_every_remark_has_a_wording():
    source = Path(read_comparison.__code__.co_filename).read_text(encoding="utf-8")
    assert {*re.findall(r'"(comparison_\w+)"', source)} <= set(wordings())
