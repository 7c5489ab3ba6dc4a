"""A lot that cannot be reached for a while: nothing is judged by what was left of it."""

from __future__ import annotations

import shutil
import threading

import cv2
import numpy as np
import pytest
from builders.reading_lane import GreyLane, ReadingLane

from inspection.config import Policy, load_inspector
from inspection.errors import ImageError
from inspection.lot.scan import scan_lot
from inspection.modelstore.folders import ModelFolders
from inspection.run.driver import inspect_into
from inspection.run.events import LotAway, LotBack
from inspection.run.plan import Conditions, plan_rest
from inspection.session.creating import create_session

IDS = ["001", "002", "003"]


@pytest.fixture
def lot(tmp_path):
    for battery in IDS:
        for modality in ("ct", "rgb"):
            folder = tmp_path / "share" / "lot" / battery / modality
            folder.mkdir(parents=True)
            for number in range(3):
                (folder / f"{number}.png").write_bytes(b"picture")
    return scan_lot(tmp_path / "share" / "lot")


@pytest.fixture
def store(lot, tmp_path):
    with create_session(
        tmp_path / "sessions", lot=lot, language="en", config={}, device="cpu"
    ) as made:
        yield made


@pytest.fixture
def inspect(lot, store, tmp_path):
    (tmp_path / "models" / "ct_cnn").mkdir(parents=True)
    policy = Policy(load_inspector(), tmp_path / "inspector.yaml")
    conditions = Conditions(ModelFolders((tmp_path / "models",)), ("ensemble",), policy, "cpu")

    def inspect(
        before=lambda ref: None, on_event=lambda event: None, lot_wait=60.0, build=ReadingLane
    ):
        plan = plan_rest(store, lot, conditions)
        told = []

        def take(event):
            told.append(event)
            on_event(event)

        stopped = inspect_into(
            store, lot, plan, lambda _system, settings: build(settings, before),
            cancel=threading.Event(), on_event=take, lot_wait=lot_wait,
        )  # fmt: skip
        assert not stopped
        return [event for event in told if isinstance(event, LotAway | LotBack)]

    return inspect


def rows(store):
    return [(row.battery_id, row.state, row.kind) for row in store.record.batteries]


ALL_NORMAL = [(name, "done", "normal") for name in IDS]


def test_a_lot_that_goes_away_and_comes_back_is_inspected_whole(lot, store, inspect):
    away = lot.root.with_name("away")
    seen = []

    def before(ref):
        seen.append(ref.path)
        if len(seen) == 9:
            lot.root.rename(away)

    def on_event(event):
        if isinstance(event, LotAway):
            away.rename(lot.root)

    told = inspect(before, on_event)
    assert [type(event) for event in told] == [LotAway, LotBack]
    assert str(lot.root) in told[0].message.text("en")
    assert rows(store) == ALL_NORMAL
    assert store.record.status == "completed"


def test_a_system_that_fails_as_a_whole_while_the_lot_is_away_has_not_spoken(lot, store, inspect):
    away = lot.root.with_name("away")
    seen = []

    def before(ref):
        seen.append(ref.path)
        if len(seen) == 9:
            lot.root.rename(away)
            # As where the grey levels of a stack are looked for, and no image is told.
            raise ImageError("image_missing", name=ref.path.name)

    def on_event(event):
        if isinstance(event, LotAway):
            away.rename(lot.root)

    assert [type(event) for event in inspect(before, on_event)] == [LotAway, LotBack]
    assert rows(store) == ALL_NORMAL


def test_a_lot_that_stays_away_leaves_the_rest_queued_and_a_resume_does_it(lot, store, inspect):
    away = lot.root.with_name("away")
    seen = []

    def before(ref):
        seen.append(ref.path)
        if len(seen) == 9:
            lot.root.rename(away)

    inspect(before, lot_wait=0.0)
    assert rows(store)[0] == ALL_NORMAL[0]
    assert {row[1:] for row in rows(store)[1:]} == {("queued", "not_inspected")}
    assert store.record.status == "failed"
    assert "could not be reached" in (store.record.error_message or "")
    away.rename(lot.root)
    inspect()
    assert rows(store) == ALL_NORMAL


def test_a_mount_point_without_its_disk_is_a_lot_that_is_away(lot, store, inspect):
    shutil.rmtree(lot.root)
    lot.root.mkdir()
    inspect(lot_wait=0.0)
    assert {row[1] for row in rows(store)} == {"queued"}


def test_an_image_that_was_away_for_a_moment_is_looked_at_again(lot, store, inspect):
    image = lot.batteries[0].ct[0].path
    hidden = image.with_suffix(".away")
    seen = []

    def before(ref):
        seen.append(ref.path)
        if len(seen) == 1:
            image.rename(hidden)
        elif len(seen) == 6:
            hidden.rename(image)

    inspect(before)
    assert rows(store) == ALL_NORMAL


def test_a_battery_none_of_whose_images_open_failed_and_is_tried_again(lot, store, inspect):
    folder = lot.root / "002"
    folder.rename(lot.root.parent / "002")
    assert inspect() == []
    assert rows(store) == [ALL_NORMAL[0], ("002", "failed", "not_inspected"), ALL_NORMAL[2]]
    assert store.record.status == "failed"
    (lot.root.parent / "002").rename(folder)
    inspect()
    assert rows(store) == ALL_NORMAL
    assert store.record.status == "completed"


def test_an_image_that_is_gone_for_good_costs_its_battery_the_verdict_alone(lot, store, inspect):
    lot.batteries[1].rgb[0].path.unlink()
    inspect()
    assert rows(store) == [ALL_NORMAL[0], ("002", "done", "review"), ALL_NORMAL[2]]


def test_a_stack_whose_greys_were_looked_for_while_the_lot_was_away_is_looked_at_again(
    lot, store, inspect
):
    for battery in lot.batteries:
        for ref in battery.ct:
            cv2.imwrite(str(ref.path), np.tile(np.arange(64, dtype=np.uint8), (64, 1)))
    away, seen, settings = lot.root.with_name("away"), [], []

    def build(given, before):
        settings.append(given)
        return GreyLane(given, before)

    def before(ref):
        seen.append(ref)
        if len(seen) > 1:
            return
        # While the first is in work the next one's greys are looked for.
        lot.root.rename(away)
        grey = settings[0].greys.of(lot.batteries[1]).find()
        away.rename(lot.root)
        assert grey.problem.code == "grey_stack_unread"

    inspect(before, build=build)
    assert rows(store) == ALL_NORMAL
