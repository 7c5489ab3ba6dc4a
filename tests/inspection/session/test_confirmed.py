"""What decisions teach: regions and images confirmed one by one; whatever is left out says why."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders.before_seals import make_unsealed

from inspection.errors import SessionError
from inspection.people.person import Person
from inspection.records import Battery, ImageRef, Lot
from inspection.report.write import write_report
from inspection.results import BatteryResult, Box, ImageResult, Verdict
from inspection.session.confirmed import read_confirmed
from inspection.session.creating import create_session
from inspection.session.record import Decision, Region
from inspection.session.store import SessionStore
from inspection.session.verify import verify_session

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
BOX = Box(x=3, y=4, w=10, h=12)
KIM, LEE = Person(name="김검사"), Person(name="Lee")


def slice_of(battery_id, number=0):
    return f"{battery_id}/ct/z_{number}.png"


def view_of(battery_id):
    return f"{battery_id}/rgb/view_0.png"


def battery(battery_id):
    ct = [
        ImageRef(
            Path("/lot") / slice_of(battery_id, n), "ct", battery_id, "z", n, "cell", "pouch", None
        )
        for n in range(3)
    ]
    rgb = ImageRef(Path("/lot") / view_of(battery_id), "rgb", battery_id, None, 0, None, None, None)
    return Battery(battery_id, battery_id, battery_id, tuple(ct), (rgb,), "cell")


def decision(kind, operator="김검사", action="override", minute=0, **more):
    at = NOW + timedelta(minutes=minute)
    return Decision(action=action, kind=kind, operator=operator, decided_at=at, **more)


@pytest.fixture
def store(tmp_path):
    ids = ("001", "002", "003", "004")
    lot = Lot(Path("/lot"), tuple(battery(i) for i in ids), ())
    opened = create_session(
        tmp_path, lot=lot, language="en", config={}, device="cpu", operator="김검사", now=NOW
    )
    with opened as store:
        for battery_id in ids:
            kind = "internal_defect" if battery_id == "002" else "normal"
            named = {"defect_type": "cell_porosity"} if battery_id == "002" else {}
            images = [
                ImageResult(
                    image=slice_of(battery_id, n), modality="ct", axis="z", number=n, state="done"
                )
                for n in range(3)
            ]
            images.append(
                ImageResult(image=view_of(battery_id), modality="rgb", number=0, state="done")
            )
            store.save_battery(
                BatteryResult(
                    battery_id=battery_id,
                    state="done",
                    verdict=Verdict(kind=kind, **named),
                    images=images,
                )
            )
        yield store


def reasons(left_out):
    return {(one.battery_id, one.image): one.reason.code for one in left_out}


def test_a_decision_labels_no_slice_but_a_region_and_a_confirmed_image_do(store):
    store.decide("001", decision("normal", action="accept"))
    region = Region(image=slice_of("002"), box=BOX)
    store.decide("002", decision("internal_defect", action="accept", region=region))
    store.confirm_image("002", slice_of("002", 2), LEE)
    store.confirm_image("003", view_of("003"), KIM)
    found = read_confirmed(store.folder)
    assert found.normal == ("001",)
    assert [(one.image, one.modality, one.by) for one in found.images] == [
        (slice_of("002", 2), "ct", "Lee"),
        (view_of("003"), "rgb", "김검사"),
    ]
    # The type of an accepted verdict is the station's.
    assert [(one.image, one.region, one.defect_type) for one in found.regions] == [
        (slice_of("002"), region, "cell_porosity")
    ]
    undecided = {("003", None): "confirmed_undecided", ("004", None): "confirmed_undecided"}
    assert reasons(found.undecided) == undecided
    assert not found.contradicting
    assert not found.unusable
    for one in found.left_out:
        assert one.battery_id in one.reason.text("en")
        assert one.reason.text("en") != one.reason.text("ko")


def test_what_was_confirmed_is_a_line_of_the_chain_and_can_be_taken_back(store):
    store.confirm_image("001", slice_of("001"), KIM)
    store.confirm_image("001", slice_of("001", 1), KIM)
    store.confirm_image("001", slice_of("001"), LEE, normal=False)
    folder = store.folder
    store.close()
    assert [one.image for one in read_confirmed(folder).images] == [slice_of("001", 1)]
    assert verify_session(folder).state == "sealed"
    lines = [json.loads(line) for line in (folder / "audit.jsonl").read_text("utf-8").splitlines()]
    said = [line["content"] for line in lines if line["event"] == "image_confirmed"]
    assert [(one["operator"], one["normal"]) for one in said] == [
        ("김검사", True),
        ("김검사", True),
        ("Lee", False),
    ]
    # What nobody has signed does not count.
    text = (folder / "audit.jsonl").read_bytes().replace(b'"normal":false', b'"normal":true')
    (folder / "audit.jsonl").write_bytes(text)
    assert verify_session(folder).state == "altered"


def test_two_people_who_differ_teach_nothing_until_one_of_them_says_the_same(store):
    store.decide("001", decision("normal", action="accept"))
    word = decision("internal_defect", "Lee", defect_type="cell_porosity", minute=1)
    store.change("001", word)
    found = read_confirmed(store)
    assert reasons(found.contradicting) == {("001", None): "confirmed_people_differ"}
    assert not found.decided
    agreed = word.model_copy(update={"operator": "김검사", "decided_at": NOW})
    store.change("001", agreed)
    assert [one.defect_type for one in read_confirmed(store).decided] == ["cell_porosity"]


def test_a_region_that_speaks_against_its_decision_is_told(store):
    on_slice, on_view = (
        Region(image=slice_of("001"), box=BOX),
        Region(image=view_of("002"), box=BOX),
    )
    store.decide("001", decision("normal", action="accept", region=on_slice))
    store.decide("002", decision("internal_defect", action="accept", region=on_view))
    other = Region(image=slice_of("003"), polygon=[(1, 1), (9, 1), (9, 9)])
    store.decide("003", decision("internal_defect", region=other))
    same = Region(image=slice_of("004"), box=BOX)
    store.decide("004", decision("internal_defect", defect_type="cell_porosity", region=same))
    store.confirm_image("004", slice_of("004"), KIM)
    found = read_confirmed(store)
    assert reasons(found.contradicting) == {
        ("001", slice_of("001")): "confirmed_normal_with_region",
        ("002", view_of("002")): "confirmed_region_elsewhere",
        ("004", slice_of("004")): "confirmed_image_with_region",
    }
    assert reasons(found.unusable) == {("003", slice_of("003")): "confirmed_region_without_type"}
    assert found.normal == ()
    assert not found.images
    assert "Cell, porosity" in found.contradicting[1].reason.text("en")
    assert "셀 기공" in found.contradicting[1].reason.text("ko")


def test_a_class_that_the_table_does_not_have_and_an_unknown_image_are_told(store):
    region = Region(image=slice_of("001"), box=BOX)
    store.decide("001", decision("internal_defect", defect_type="cell_dent", region=region))
    store.confirm_image("002", "002/ct/elsewhere.png", KIM)
    found = read_confirmed(store)
    assert reasons(found.unusable) == {
        ("001", slice_of("001")): "confirmed_type_unknown",
        ("002", "002/ct/elsewhere.png"): "confirmed_image_unknown",
    }
    with pytest.raises(SessionError) as caught:
        store.confirm_image("900", "900/ct/z_0.png", KIM)
    assert caught.value.message.code == "session_battery_unknown"


def test_an_altered_and_an_unsealed_session_are_refused_unless_told(store):
    store.decide("001", decision("normal", action="accept"))
    folder = store.folder
    store.close()
    kept = (folder / "session.json").read_text("utf-8")
    (folder / "session.json").write_text(kept.replace('"normal"', '"review"'), "utf-8")
    with pytest.raises(SessionError) as caught:
        read_confirmed(folder)
    assert caught.value.message.code == "confirmed_altered"
    assert read_confirmed(folder, accept_unsealed=True).normal == ("001",)
    (folder / "session.json").write_text(kept, "utf-8")
    make_unsealed(folder)
    with pytest.raises(SessionError) as caught:
        read_confirmed(folder)
    assert caught.value.message.code == "confirmed_unsealed"
    assert "--accept-unsealed" in caught.value.text("ko")
    assert read_confirmed(folder, accept_unsealed=True).normal == ("001",)


def test_a_session_that_is_being_inspected_elsewhere_can_be_read(store, tmp_path):
    store.decide("001", decision("normal", action="accept"))
    assert read_confirmed(store.folder).normal == ("001",)
    with SessionStore.open(store.folder, read_only=True) as reader, pytest.raises(SessionError):
        reader.confirm_image("001", slice_of("001"), KIM)


def test_the_audit_that_is_exported_has_every_word_on_an_image(store, tmp_path):
    store.confirm_image("001", slice_of("001"), KIM)
    store.confirm_image("001", slice_of("001"), LEE, normal=False)
    write_report(store.folder, ["json"], tmp_path / "out", "en")
    document = json.loads((tmp_path / "out" / "audit.json").read_text("utf-8"))
    said = [(one["operator"], one["normal"], one["image"]) for one in document["images"]]
    assert said == [("김검사", True, slice_of("001")), ("Lee", False, slice_of("001"))]
    assert document["images"][0]["line"] < document["images"][1]["line"]


def test_an_altered_battery_teaches_nothing_and_the_others_do(store):
    for battery_id in ("001", "002"):
        store.confirm_image(battery_id, slice_of(battery_id), KIM)
    folder = store.folder
    store.close()
    path = folder / "batteries" / "001.json"
    path.write_text(path.read_text("utf-8").replace('"done"', '"failed"'), "utf-8")
    found = read_confirmed(folder, accept_unsealed=True)
    assert [one.battery_id for one in found.images] == ["002"]
    assert [one.battery_id for one in found.unusable] == ["001"]
