"""A released model is in use and written down, or nothing has changed, however it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders.compared_models import compared
from builders.small_models import write_small_models

from inspection.config import INSPECTOR_NAME
from inspection.errors import InspectionError
from inspection.modelstore.bundle import load_bundle
from inspection.modelstore.bundle_writing import rewrite_bundle
from inspection.modelstore.folders import ModelFolders, Slot
from inspection.modelstore.install import staging
from inspection.modelstore.release_records import Comparison, ReleaseLine
from inspection.modelstore.releases import (
    RELEASES_NAME,
    read_releases,
    release_of,
    standing_of,
)
from inspection.modelstore.releasing import KEPT_NAME, in_use, release_model, roll_back
from inspection.people.person import Person

QUALITY = Person(name="Kim", role="quality")


def no_trial(folder: Path, slot: str) -> None:
    """Nothing: what these models say is arbitrary."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_models(tmp_path_factory.mktemp("models") / "models")


@pytest.fixture
def models(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFolders:
    monkeypatch.setenv("STATION_DATA", str(tmp_path / "data"))
    return ModelFolders((Path(shutil.copytree(written, tmp_path / "models")),))


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    return made(written, tmp_path / "run", "new")


def made(written: Path, run: Path, name: str) -> Path:
    for slot in ("ct_cnn", "rgb_ae"):
        shutil.copytree(written / slot, run / slot)
        rewrite_bundle(load_bundle(run / slot), {}, name=name)
    return run


def release(run: Path, models: ModelFolders, slot: Slot = "rgb_ae", **more: object) -> ReleaseLine:
    comparison = compared(load_bundle(run / slot), in_use(models, slot))
    return release_model(run, models, comparison, by="tester", trial=no_trial, **more)  # type: ignore[arg-type]


def condition(models: ModelFolders, slot: Slot = "rgb_ae") -> str:
    bundle = in_use(models, slot)
    assert bundle is not None
    return standing_of(models, slot, bundle.sha256).condition


def test_a_release_is_in_use_written_down_and_can_be_taken_back_and_forth(
    run: Path, models: ModelFolders
) -> None:
    before = in_use(models, "rgb_ae")
    assert condition(models) == "unreleased"
    assert before is not None
    line = release(run, models, signed_by=QUALITY)
    now = in_use(models, "rgb_ae")
    assert now is not None
    assert now.sha256 == line.sha256 == load_bundle(run / "rgb_ae").sha256 != before.sha256
    lines, problems = read_releases(models.install)
    assert not problems
    assert [entry.event for entry in lines] == ["begun", "release"]
    assert lines[-1].line == line
    assert lines[0].line.comparison is None
    assert line.comparison is not None
    assert line.comparison.measured.held_out == "1" * 64
    mark = release_of(models, "rgb_ae", now.sha256)
    assert mark is not None
    assert (mark.by, mark.signed_by, mark.hash) == ("tester", "Kim", lines[-1].hash)
    for wanted in (before.sha256, now.sha256, before.sha256):
        roll_back(models, "rgb_ae", by="tester", trial=no_trial)
        found = in_use(models, "rgb_ae")
        assert found is not None
        assert found.sha256 == wanted
        assert condition(models) == "released"


def test_the_fusion_policy_leaves_and_comes_back_with_the_classifier(
    run: Path, models: ModelFolders
) -> None:
    policy = models.install / INSPECTOR_NAME
    policy.write_text("inspector: {method: voting}\n", encoding="utf-8")
    release(run, models, "rgb_ae")
    assert "voting" in policy.read_text(encoding="utf-8")
    release(run, models, "ct_cnn")
    assert not policy.exists()
    roll_back(models, "ct_cnn", by="tester", trial=no_trial)
    assert "voting" in policy.read_text(encoding="utf-8")


def test_reservations_need_a_person(run: Path, models: ModelFolders) -> None:
    new, old = load_bundle(run / "rgb_ae"), in_use(models, "rgb_ae")
    doubtful = compared(new, old, "release_escapes_unmeasured")
    with pytest.raises(InspectionError) as refused:
        release_model(run, models, doubtful, by="tester", trial=no_trial)
    assert refused.value.message.code == "release_unsigned"
    assert not (models.install / RELEASES_NAME).exists()
    release_model(run, models, doubtful, by="Kim", trial=no_trial, signed_by=QUALITY)
    assert condition(models) == "released"


def test_other_models_than_those_that_were_compared_are_refused(
    run: Path, models: ModelFolders, written: Path, tmp_path: Path
) -> None:
    comparison = compared(load_bundle(run / "rgb_ae"), in_use(models, "rgb_ae"))
    other = made(written, tmp_path / "other", "other")

    def refusal(folder: Path, about: Comparison) -> str:
        with pytest.raises(InspectionError) as refused:
            release_model(folder, models, about, by="tester", trial=no_trial)
        return refused.value.message.code

    assert refusal(other, comparison) == "release_other_model"
    release(other, models)
    assert refusal(run, comparison) == "release_present_changed"


def test_a_record_that_cannot_be_written_leaves_the_model_in_use(
    run: Path, models: ModelFolders
) -> None:
    before = in_use(models, "rgb_ae")

    def spoil(step: str) -> None:
        if step == "swapped":
            (models.install / RELEASES_NAME).unlink()
            (models.install / RELEASES_NAME).mkdir()

    with pytest.raises(InspectionError):
        release(run, models, on_step=spoil)
    after = in_use(models, "rgb_ae")
    assert before is not None
    assert after is not None
    assert after.sha256 == before.sha256


KILLED = """
import os, sys
from pathlib import Path
from inspection.modelstore.folders import ModelFolders
from inspection.modelstore.release_records import Comparison
from inspection.modelstore.releasing import release_model

run, models, step, comparison = sys.argv[1:]
release_model(
    Path(run), ModelFolders((Path(models),)), Comparison.model_validate_json(comparison),
    by="tester", trial=lambda folder, slot: None,
    on_step=lambda done: os._exit(9) if done == step else None,
)
"""


@pytest.mark.parametrize(
    ("step", "told"),
    [("kept", "unreleased"), ("begun", "unreleased"), ("swapped", "unrecorded"),
     ("recorded", "released")],
)  # fmt: skip
def test_a_program_that_is_killed_leaves_one_of_the_two_models_and_the_truth(
    step: str, told: str, run: Path, models: ModelFolders, written: Path
) -> None:
    comparison = compared(load_bundle(run / "rgb_ae"), in_use(models, "rgb_ae"))
    words = [str(run), str(models.install), step, comparison.model_dump_json()]
    done = subprocess.run([sys.executable, "-c", KILLED, *words], check=False)
    assert done.returncode == 9
    with staging(models.install):
        pass
    new = load_bundle(run / "rgb_ae").sha256
    old = load_bundle(written / "rgb_ae").sha256
    found = in_use(models, "rgb_ae")
    assert found is not None
    assert found.sha256 == (new if step in ("swapped", "recorded") else old)
    standing = standing_of(models, "rgb_ae", found.sha256)
    assert standing.condition == told
    assert (standing.problem is not None) == (told == "unrecorded")
    if told in ("unrecorded", "released"):
        roll_back(models, "rgb_ae", by="tester", trial=no_trial)
        back = in_use(models, "rgb_ae")
        assert back is not None
        assert back.sha256 == old
        assert condition(models) == "released"
    else:
        release(run, models)
        assert condition(models) == "released"


def test_what_was_brought_in_another_way_is_told_and_the_last_release_comes_back(
    run: Path, models: ModelFolders, written: Path, tmp_path: Path
) -> None:
    released = release(run, models)
    other = made(written, tmp_path / "other", "other")
    shutil.rmtree(models.install / "rgb_ae")
    shutil.copytree(other / "rgb_ae", models.install / "rgb_ae")
    assert condition(models) == "unrecorded"
    assert release_of(models, "rgb_ae", load_bundle(other / "rgb_ae").sha256) is None
    line = roll_back(models, "rgb_ae", by="tester", trial=no_trial)
    assert line.sha256 == released.sha256
    assert condition(models) == "released"


def test_a_line_that_was_changed_is_told_and_vouches_for_nothing(
    run: Path, models: ModelFolders
) -> None:
    line = release(run, models)
    path = models.install / RELEASES_NAME
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"by":"tester"', '"by":"nobody"'), encoding="utf-8")
    assert condition(models) == "altered"
    assert release_of(models, "rgb_ae", line.sha256) is None
    with pytest.raises(InspectionError):
        roll_back(models, "rgb_ae", by="tester", trial=no_trial)
    assert json.loads(text.splitlines()[0])["event"] == "begun"


def test_there_is_nothing_to_go_back_to_before_a_release_or_once_it_is_gone(
    run: Path, models: ModelFolders
) -> None:
    def refusal() -> str:
        with pytest.raises(InspectionError) as refused:
            roll_back(models, "rgb_ae", by="tester", trial=no_trial)
        return refused.value.message.code

    assert refusal() == "rollback_nothing"
    release(run, models)
    shutil.rmtree(models.install / KEPT_NAME)
    assert refusal() == "rollback_gone"
