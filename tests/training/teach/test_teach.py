"""Teaching: from good batteries to a model beside the one in use, whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from builders.small_models import write_small_models

from inspection.lot.scan import scan_lot
from inspection.lot.truth import read_truth
from inspection.modelstore.bundle import load_bundle
from inspection.modelstore.teaching import (
    PROGRESS_NAME,
    REQUEST_NAME,
    RESULT_NAME,
    Rate,
    ScoredBattery,
    ScoredView,
    TeachRequest,
    TeachResult,
    escapes,
    overkill,
    parts_of,
    present_rates,
)
from inspection.synthetic import SyntheticLot, write_lot
from training.__main__ import app
from training.autoencoder.calibrate import choose_threshold
from training.teach.figures import proposals
from training.teach.teach import teach
from training.teach.telling import Teller


def good_and_bad(lot):
    good, bad = [], []
    for battery in scan_lot(lot).batteries:
        defective = any(read_truth(ref).is_defect for ref in battery.rgb)
        (bad if defective else good).append(battery.battery_id)
    return good, bad


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lots") / "lot"
    write_lot(folder, SyntheticLot(batteries=6, slices=3, views=4, seed=3))
    return folder


def request_in(folder, lot, **changes):
    good, bad = good_and_bad(lot)
    wanted = {"lot": str(lot), "slot": "rgb_ae", "batteries": good, "defective": bad, "epochs": 1}
    request = TeachRequest.model_validate({**wanted, **changes})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REQUEST_NAME).write_text(request.model_dump_json(), encoding="utf-8")
    return folder / REQUEST_NAME


def run_trainer(*arguments):
    from inspection.console import run

    return run(app, "trainer", ["teach", *map(str, arguments)])


@pytest.fixture(scope="module")
def taught(lot, tmp_path_factory):
    """Teach once, beside a small model in use; return the teaching's folder."""
    folder = tmp_path_factory.mktemp("taught")
    models = write_small_models(folder / "models")
    request = request_in(folder / "teaching", lot, present=str(models / "rgb_ae"))
    assert run_trainer(request) == 0
    return request.parent


@pytest.fixture
def result(taught):
    return TeachResult.model_validate_json((taught / RESULT_NAME).read_text(encoding="utf-8"))


def test_the_model_is_one_that_the_station_takes_and_knows_what_it_was_taught_on(taught, result):
    bundle = load_bundle(taught / result.model, "rgb_ae")
    assert bundle.sha256 == result.sha256
    assert bundle.answers is not None
    known = bundle.manifest.training["taught"]
    assert {row.battery for row in result.held_out}.isdisjoint(known["batteries"])
    assert set(known["threshold"]) == parts_of(result, "threshold")


def test_both_models_are_judged_on_the_same_images(result):
    assert result.held_out
    assert all(row.present is not None for row in result.held_out)
    present, missed = present_rates(result)
    assert present.total == overkill(result, result.threshold).total == len(result.batteries)
    assert missed.total == escapes(result, result.threshold).total == len(result.defects)


def test_the_nearest_misses_are_pictures_with_maps_the_nearest_first(taught, result):
    scores = [miss.score for miss in result.misses]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == max(row.score for row in result.held_out)
    for miss in result.misses:
        assert (taught / miss.picture).stat().st_size
        assert (taught / miss.map).stat().st_size


def test_a_finished_teaching_is_not_done_over(taught, capsys):
    assert run_trainer(taught / REQUEST_NAME) == 2
    assert "not overwritten" in capsys.readouterr().err


def test_a_teaching_that_stops_leaves_nothing_but_its_request(lot, tmp_path):
    class Impatient(Teller):
        def tell(self, stage, done=0, total=0):
            if stage == "judging":
                raise KeyboardInterrupt

    path = request_in(tmp_path, lot)
    request = TeachRequest.model_validate_json(path.read_text(encoding="utf-8"))
    with pytest.raises(KeyboardInterrupt):
        teach(request, tmp_path, Impatient(tmp_path))
    assert [left.name for left in tmp_path.iterdir()] == [REQUEST_NAME]


def test_what_stops_it_is_told_as_the_last_event(lot, tmp_path, capsys):
    request = request_in(tmp_path, lot, batteries=good_and_bad(lot)[0][:2])
    assert run_trainer(request) == 2
    told = capsys.readouterr()
    assert "at least 3" in told.err
    last = json.loads(told.out.splitlines()[-1])
    assert last["stage"] == "failed"
    assert last["error"]["code"] == "teach_few_batteries"
    assert json.loads((tmp_path / PROGRESS_NAME).read_text(encoding="utf-8")) == last


def test_the_child_ends_with_whoever_started_it(lot, tmp_path):
    request = request_in(tmp_path, lot)
    child = subprocess.Popen(
        [sys.executable, "-m", "training", "teach", str(request), "--attached"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    child.stdout.readline()
    # What the end of its parent does, however that comes.
    child.stdin.close()
    told = child.stdout.read().decode()
    child.stdout.close()
    assert child.wait(60) == 130
    assert json.loads(told.splitlines()[-1])["stage"] == "cancelled"
    assert not (tmp_path / RESULT_NAME).exists()


def test_a_defect_by_its_label_and_a_battery_that_is_gone_are_left_out_with_the_reason(
    lot, tmp_path
):
    from training.teach.images import choose

    good, bad = good_and_bad(lot)
    path = request_in(tmp_path, lot, batteries=[*good, *bad, "nobody"])
    request = TeachRequest.model_validate_json(path.read_text(encoding="utf-8"))
    chosen = choose(request, "rgb", lambda done, total: None)
    reasons = {row.reason.code for row in chosen.left_out}
    assert reasons == {"teach_battery_gone", "teach_labelled_defect"}
    used = [
        ref for part in (chosen.taught, chosen.held_out) for refs in part.values() for ref in refs
    ]
    assert not any(read_truth(ref).is_defect for ref in used)


def test_what_the_model_in_use_has_not_learned_from_is_kept_for_the_comparison(lot, tmp_path):
    from inspection.modelstore.seen import see
    from training.teach.images import choose

    path = request_in(tmp_path, lot, batteries=[b.battery_id for b in scan_lot(lot).batteries])
    request = TeachRequest.model_validate_json(path.read_text(encoding="utf-8"))
    first = choose(request, "rgb", lambda done, total: None)
    taught = [ref.source for refs in first.taught.values() for ref in refs]
    for seed in range(4):
        other = request.model_copy(update={"seed": seed})
        again = choose(other, "rgb", lambda done, total: None, see(taught))
        assert again.judged
        assert not again.judged.keys() & first.taught.keys()


def test_the_station_takes_a_threshold_that_a_person_has_chosen(taught, tmp_path):
    import shutil

    copy = shutil.copytree(taught / "rgb_ae", tmp_path / "rgb_ae")
    before = load_bundle(copy).threshold
    choose_threshold(copy, 0.25)
    after = load_bundle(copy).threshold
    assert (after.threshold, after.method) == (0.25, "chosen")
    assert after.mean_error == before.mean_error


def test_each_proposal_is_tried_on_batteries_that_had_no_say_in_it():
    scores = {"a": [0.1, 0.2], "b": [0.1, 0.2], "c": [0.1, 0.9]}
    views = [
        ScoredView(image=f"{name}{place}", battery=name, score=score)
        for name, part in scores.items()
        for place, score in enumerate(part)
    ]
    batteries = [ScoredBattery(battery=name, score=max(part)) for name, part in scores.items()]
    highest = proposals(views, batteries, ())[-1]
    assert highest.threshold == 0.9
    # Without the odd one its score would not have been known.
    assert highest.unseen == Rate(count=1, total=3)


def test_a_battery_that_is_only_judged_has_no_say_in_the_threshold():
    views = [ScoredView(image=n, battery=n, score=s) for n, s in (("a", 0.2), ("b", 0.9))]
    batteries = [ScoredBattery(battery=row.battery, score=row.score) for row in views]
    highest = proposals(views, batteries, {"b"})[-1]
    assert highest.threshold == 0.2
    assert highest.unseen == Rate(count=1, total=1)


@pytest.mark.parametrize(("count", "total"), [(0, 5), (2, 5), (5, 5), (0, 0)])
def test_an_interval_holds_the_share_and_of_few_it_is_wide(count, total):
    low, high = Rate(count=count, total=total).interval()
    assert 0.0 <= low <= (count / total if total else 0.0) <= high <= 1.0
    assert high - low > 0.4
