"""Sessions survive kills, full disks and damage, and two programs never write one of them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
from builders.before_seals import make_unsealed
from hypothesis import given
from hypothesis import strategies as st

from inspection import atomic
from inspection.atomic import battery_file_name, write_atomic
from inspection.errors import ConfigError, SessionError
from inspection.messages import Message
from inspection.people.person import Person
from inspection.records import Battery, ImageRef, Lot, LotFinding
from inspection.results import BatteryResult, ImageResult, ModelProvenance, Verdict
from inspection.seals.chain import scan_chain
from inspection.session import schema
from inspection.session.audit import audit_entries
from inspection.session.creating import create_session
from inspection.session.files import MIGRATIONS, list_sessions
from inspection.session.record import Decision, SessionRecord
from inspection.session.store import SessionStore
from inspection.site import _read_site

NOW = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)
SCHEMA = json.loads(schema.SCHEMA_PATH.read_text(encoding="utf-8"))
IMAGES = 4
HERE = Path(__file__).parent


def log_is_whole(folder):
    scan = scan_chain(folder / "audit.jsonl")
    return scan.broken_line is None and not scan.torn


def entries_of(folder):
    return audit_entries(scan_chain(folder / "audit.jsonl").lines)


def battery(battery_id):
    slices = [
        ImageRef(
            Path(f"/lot/{battery_id}_{n}.jpg"), "ct", battery_id, "z", n, "cell", "pouch", None
        )
        for n in range(IMAGES)
    ]
    return Battery(battery_id, battery_id, None, ct=tuple(slices))


def lot_of(*battery_ids):
    finding = LotFinding(Path("/lot/x/깨진.jpg"), Message(code="fusion_ct_missing"))
    return Lot(Path("/lot"), tuple(battery(i) for i in battery_ids), (finding,))


LOT = lot_of("001", "002", "003")


def create(root, lot=LOT, **changes):
    settings = {
        "operator": "김검사",
        "station": "L3",
        "language": "ko",
        "config": {"inspector": {"method": "voting"}},
        "device": "cpu",
        "models": [ModelProvenance(slot="ct", name="demo", sha256="0" * 64)],
        "version": "0.1.0",
        "now": NOW,
    }
    return create_session(root, lot=lot, **(settings | changes))


def result(battery_id="001", kind="internal_defect", state="done", images=IMAGES, **changes):
    return BatteryResult(
        battery_id=battery_id,
        ct_id=battery_id,
        state=state,
        verdict=Verdict(
            kind=kind, cnn_prob=0.9, reasons=[Message(code="fusion_ct_missing")], **changes
        ),
        images=[
            ImageResult(image=f"{battery_id}_{n}.jpg", modality="ct", number=n, state="failed")
            for n in range(images)
        ],
        seconds=1.5,
    )


def decision(kind="normal", action="override", operator="김검사", minute=0, **changes):
    return Decision(
        action=action,
        kind=kind,
        operator=operator,
        decided_at=NOW + timedelta(minutes=minute),
        **changes,
    )


def row(store, battery_id="001"):
    return next(r for r in store.record.batteries if r.battery_id == battery_id)


def word(row):
    """Return the decision on a battery as it was given; the store adds what was shown."""
    return row.decision.model_copy(update={"shown": None})


def on_disk(store):
    return json.loads((store.folder / "session.json").read_text(encoding="utf-8"))


@pytest.fixture
def store(tmp_path):
    with create(tmp_path) as opened:
        yield opened


# -- create and save ---------------------------------------------------------------------------


def test_a_new_session_has_every_battery_queued(store):
    record = store.record
    assert record.run_id == store.folder.name == NOW.astimezone().strftime("%Y%m%d_%H%M%S")
    assert [(r.battery_id, r.state, r.kind) for r in record.batteries] == [
        (i, "queued", "not_inspected") for i in ("001", "002", "003")
    ]
    assert (record.total_images, record.processed_images) == (12, 0)
    assert record.lot.findings == ["x/깨진.jpg: 이 배터리에는 CT 단면이 없습니다."]
    assert store.evidence_dir.is_dir()
    assert SessionRecord.model_validate(on_disk(store)) == record
    assert store.seal.state == "sealed"
    assert store.problems == ()


def modes_of(folder):
    parts = [folder, *folder.rglob("*")]
    return {(path.is_dir(), path.stat().st_mode & 0o777) for path in parts}


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_only_the_stations_account_reads_a_session_unless_the_site_names_a_group(
    tmp_path, monkeypatch
):
    import grp

    def used(root):
        with create(root) as store:
            store.save_battery(result())
            store.decide("001", decision())
            return store.folder

    assert modes_of(used(tmp_path)) == {(True, 0o700), (False, 0o600)}
    (tmp_path / "site").mkdir()
    group = grp.getgrgid(os.getgid()).gr_name
    site = tmp_path / "site" / "site.yaml"
    site.write_text(f"keeping:\n  group: {group}\n", encoding="utf-8")
    monkeypatch.setenv("STATION_SITE", str(site.parent))
    _read_site.cache_clear()
    folder = used(tmp_path)
    assert modes_of(folder) == {(True, 0o750), (False, 0o640)}
    assert {path.stat().st_gid for path in folder.rglob("*")} == {os.getgid()}
    site.write_text("keeping:\n  group: nobody-has-this\n", encoding="utf-8")
    _read_site.cache_clear()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="nobody-has-this"):
        create(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    _read_site.cache_clear()


def test_the_run_id_is_suffixed_when_taken(tmp_path):
    names = []
    for _ in range(3):
        with create(tmp_path) as store:
            names.append(store.record.run_id)
    assert len(set(names)) == 3
    assert names[1] == f"{names[0]}_02"
    assert names == sorted(names)


def test_a_chosen_battery_is_all_of_its_session(tmp_path):
    with create(tmp_path, battery_ids=["002"]) as store:
        assert store.record.total_images == IMAGES
        assert store.remaining(LOT) == ["002"]
        store.save_battery(result("002"))
        assert store.remaining(LOT) == []


def test_a_saved_battery_is_on_disk_at_once(store):
    store.save_battery(result())
    saved = on_disk(store)
    assert saved["batteries"][0]["kind"] == "internal_defect"
    assert saved["batteries"][0]["reasons"] == ["이 배터리에는 CT 단면이 없습니다."]
    assert (saved["processed_images"], round(saved["progress_percent"], 1)) == (4, 33.3)
    assert store.load_battery("001") == result()
    assert store.load_battery("002") is None
    assert store.load_battery("nowhere") is None
    assert not list(store.folder.rglob("*.tmp"))


def test_every_state_of_a_session_fits_the_published_schema(store):
    jsonschema.validate(on_disk(store), SCHEMA)
    store.mark("processing")
    store.save_battery(result())
    store.decide("001", decision("review", reason="r", comment="c"))
    store.mark("failed", "disk full")
    jsonschema.validate(on_disk(store), SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(on_disk(store) | {"surprise": 1}, SCHEMA)


def test_the_published_schema_is_current():
    assert schema.SCHEMA_PATH.read_text(encoding="utf-8") == schema.session_schema()


def test_inspecting_again_counts_no_image_twice(store):
    store.save_battery(result())
    store.save_battery(result(images=2))
    assert store.record.processed_images == 2
    folder = store.folder
    store.close()
    with SessionStore.open(folder) as again:
        again.save_battery(result())
        assert again.record.processed_images == IMAGES


def test_a_completed_session_is_at_100_percent(store):
    store.save_battery(result(images=0))
    store.mark("completed")
    assert on_disk(store)["progress_percent"] == 100


def test_models_are_recorded_when_they_are_loaded(store):
    models = [ModelProvenance(slot="rgb", name="cae", sha256="1" * 64, thresholds={"t": 0.01})]
    store.set_models(models, "cuda:0")
    assert on_disk(store)["device"] == "cuda:0"
    assert on_disk(store)["models"][-1]["thresholds"] == {"t": 0.01}


def test_a_model_that_judged_in_an_earlier_run_stays_on_record(store):
    for digest in ("1" * 64, "2" * 64, "1" * 64):
        store.set_models([ModelProvenance(slot="rgb", name="cae", sha256=digest)], "cpu")
    kept = [m["sha256"][0] for m in on_disk(store)["models"] if m["slot"] == "rgb"]
    assert sorted(kept) == ["1", "2"]


# -- resume ------------------------------------------------------------------------------------


def test_what_is_not_done_remains(store):
    assert store.remaining(LOT) == ["001", "002", "003"]
    store.save_battery(result("002"))
    store.save_battery(result("001", state="failed", kind="not_inspected"))
    folder = store.folder
    store.close()
    with SessionStore.open(folder) as again:
        assert again.remaining(LOT) == ["001", "003"]
        assert again.problems == ()


def test_a_second_program_is_kept_from_writing(store):
    store.save_battery(result())
    with pytest.raises(SessionError) as refused:
        SessionStore.open(store.folder)
    assert refused.value.message.code == "session_held"
    with SessionStore.open(store.folder, read_only=True) as reader:
        assert reader.record == store.record
        assert reader.load_battery("001") == result()
        for write in (
            lambda: reader.save_battery(result()),
            lambda: reader.mark("failed"),
            lambda: reader.decide("001", decision()),
        ):
            with pytest.raises(SessionError, match="read"):
                write()


def test_a_closed_session_saves_nothing(store):
    store.close()
    with pytest.raises(SessionError, match="closed"):
        store.save_battery(result())


def test_opening_what_is_no_session_says_so(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SessionError, match="no session"):
            SessionStore.open(folder)


def test_a_session_of_a_newer_program_is_left_alone(store):
    path = store.folder / "session.json"
    path.write_text(json.dumps(on_disk(store) | {"schema_version": 99}), encoding="utf-8")
    before = path.read_bytes()
    store.close()
    with pytest.raises(SessionError) as refused:
        SessionStore.open(store.folder)
    assert refused.value.message.code == "session_newer"
    assert path.read_bytes() == before


def test_an_older_format_is_migrated_on_opening(store, monkeypatch):
    store.close()
    make_unsealed(store.folder)
    raw = on_disk(store)
    raw["lot_folder"] = raw.pop("lot")
    (store.folder / "session.json").write_text(json.dumps(raw), encoding="utf-8")

    def rename(old):
        return {"schema_version": 3, "lot": old.pop("lot_folder")} | {
            k: v for k, v in old.items() if k != "schema_version"
        }

    monkeypatch.setattr("inspection.session.files.SCHEMA_VERSION", 3)
    monkeypatch.setattr("inspection.session.files.MIGRATIONS", (*MIGRATIONS, rename))
    with SessionStore.open(store.folder) as again:
        assert again.record.lot.path == "/lot"
        assert again.problems == ()


# -- decisions ---------------------------------------------------------------------------------


def test_a_decision_is_in_the_log_and_in_the_session(store):
    store.save_battery(result())
    store.decide("001", decision("normal", reason="먼지", comment="dust"))
    assert on_disk(store)["batteries"][0]["decision"]["kind"] == "normal"
    (entry,) = entries_of(store.folder)
    assert entry.kind_before == "internal_defect"
    assert entry.decision == row(store).decision
    assert (entry.decision.reason, entry.decision.comment) == ("먼지", "dust")
    file = store.folder / "batteries" / "001.json"
    assert entry.decision.shown == hashlib.sha256(file.read_bytes()).hexdigest()


def test_inspecting_again_leaves_the_decision(store):
    store.save_battery(result())
    store.decide("001", decision("normal"))
    store.save_battery(result(kind="review"))
    assert row(store).kind == "review"
    assert row(store).decision.kind == "normal"


def test_a_decided_battery_is_changed_and_never_decided_again(store):
    store.save_battery(result())
    with pytest.raises(SessionError, match="no decision"):
        store.change("001", decision("normal"))
    store.decide("001", decision("normal"))
    with pytest.raises(SessionError, match="decided already"):
        store.decide("001", decision("internal_defect", action="accept", operator="박검사"))
    store.change("001", decision("review", operator="박검사", minute=1))
    assert word(row(store)) == decision("review", operator="박검사", minute=1)
    assert [d.operator for d in row(store).earlier] == ["김검사"]
    folder = store.folder
    store.close()
    with SessionStore.open(folder) as again:
        assert row(again) == row(store)
        first, second = again.audit
        assert (second.changes, second.kind_before) == (first.sequence, "normal")


def test_undo_takes_back_ones_own_and_brings_back_what_stood_before(store):
    kim, park = Person(name="김검사"), Person(name="박검사", role="quality")
    store.save_battery(result())
    store.decide("001", decision("normal"))
    store.change("001", decision("review", operator="박검사", minute=1))
    assert (store.undoable(kim), store.undoable(park)) == (None, "001")
    with pytest.raises(SessionError, match="김검사"):
        store.undo(kim)
    assert store.undo(park) == row(store)
    assert word(row(store)) == decision("normal")
    assert store.undoable(kim) == "001"
    store.undo(kim)
    assert row(store).decision is None
    told = [(e.decision.action, e.kind_before, e.decision.kind) for e in entries_of(store.folder)]
    assert told == [
        ("override", "internal_defect", "normal"),
        ("override", "normal", "review"),
        ("undo", "review", "normal"),
        ("undo", "normal", "internal_defect"),
    ]


def test_after_signing_nothing_is_undone_and_a_change_is_told(store):
    kim = Person(name="김검사", role="operator")
    store.save_battery(result())
    store.decide("001", decision("normal"))
    signature = store.sign("reviewed", Person(name="이품질", role="quality"))
    assert store.undoable(kim) is None
    with pytest.raises(SessionError, match="signed"):
        store.undo(kim)
    assert not store.changed_after_signing
    store.change("001", decision("internal_defect", minute=1))
    folder = store.folder
    store.close()
    with SessionStore.open(folder, read_only=True) as again:
        assert again.record.signatures == [signature]
        assert again.changed_after_signing


def test_accepting_a_verdict_that_has_changed_is_refused(store):
    store.save_battery(result(kind="external_defect"))
    with pytest.raises(SessionError, match="changed"):
        store.decide("001", decision("normal", action="accept"))
    store.decide("001", decision("external_defect", action="accept"))
    assert row(store).decision.action == "accept"


def test_a_decision_on_an_unknown_battery_is_refused(store):
    with pytest.raises(SessionError, match="not part"):
        store.decide("999", decision())


# -- kills and damage --------------------------------------------------------------------------


def restored(store, **files):
    """Close, put the given files back to older contents, and open again."""
    store.close()
    for name, content in files.items():
        (store.folder / name.replace("_", ".")).write_bytes(content)
    return SessionStore.open(store.folder)


def test_a_kill_between_log_and_session_loses_no_decision(store):
    store.save_battery(result())
    before = (store.folder / "session.json").read_bytes()
    store.decide("001", decision("normal"))
    with restored(store, session_json=before) as again:
        assert word(row(again)) == decision("normal")
        assert again.problems == ()
        assert on_disk(again)["batteries"][0]["decision"]["kind"] == "normal"


def test_a_kill_between_log_and_session_loses_no_undo(store):
    store.save_battery(result())
    store.decide("001", decision("normal"))
    before = (store.folder / "session.json").read_bytes()
    store.undo(Person(name="김검사"))
    with restored(store, session_json=before) as again:
        assert row(again).decision is None


def test_a_kill_between_the_chain_and_the_battery_loses_no_battery(store, monkeypatch):
    store.save_battery(result())
    store.decide("001", decision("normal"))

    def killed(*_):
        raise Killed

    for changed in (result(kind="review"), result("002")):
        with monkeypatch.context() as patch:
            patch.setattr("inspection.session.battery_files.put_in_place", killed)
            patch.setattr(atomic.Path, "unlink", lambda *_, **__: None)
            with pytest.raises(Killed):
                store.save_battery(changed)
    store.close()
    with SessionStore.open(store.folder, read_only=True) as reader:
        assert reader.seal.state == "sealed"
        assert reader.load_battery("001") == result(kind="review")
    with SessionStore.open(store.folder) as again:
        assert again.problems == ()
        assert row(again).kind == "review"
        assert word(row(again)) == decision("normal")
        assert again.load_battery("002") == result("002")
        assert again.remaining(LOT) == ["003"]
        assert again.record.processed_images == 2 * IMAGES
        assert not list(store.folder.rglob("*.tmp"))


def test_a_file_that_the_chain_does_not_know_is_not_adopted(store):
    store.save_battery(result())
    store.close()
    write_atomic(store.folder / "batteries" / "002.json", result("002").model_dump_json())
    (store.folder / "batteries" / ".003.json.0a1b2c3d.tmp").write_text(
        result("003").model_dump_json(), encoding="utf-8"
    )
    with SessionStore.open(store.folder) as again:
        assert [p.code for p in again.problems] == ["seal_battery_unknown"]
        assert again.remaining(LOT) == ["002", "003"]
        assert again.load_battery("002") is None
        again.save_battery(result("002", kind="review"))
        assert again.load_battery("002").verdict.kind == "review"
    (aside,) = (store.folder / "batteries" / "set_aside").iterdir()
    assert aside.read_text(encoding="utf-8") == result("002").model_dump_json()


def test_what_a_killed_writer_left_is_swept(store):
    (store.folder / ".session.json.0a1b2c3d.tmp").write_bytes(b"{")
    (store.folder / "batteries" / ".001.json.0a1b2c3d.tmp").write_bytes(b"{")
    store.close()
    with SessionStore.open(store.folder):
        assert not list(store.folder.rglob("*.tmp"))


@pytest.mark.parametrize(
    "damage",
    [b"", b'{"schema_version": 1, "run', b"\0" * 500, b"[]", b"[" * 100_000, None],
)
def test_a_damaged_session_is_made_again_and_loses_nothing(store, damage):
    store.save_battery(result())
    store.save_battery(result("002", kind="review"))
    store.decide("001", decision("normal"))
    store.decide("003", decision("external_defect"))
    store.mark("cancelled")
    path = store.folder / "session.json"
    store.close()
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    listing = list_sessions(store.folder.parent)[0]
    assert listing.record is None
    assert listing.problem.code == "session_unreadable"
    with SessionStore.open(store.folder) as again:
        assert [p.code for p in again.problems] == ["seal_record_damaged"]
        told = {"head", "updated_at"}
        assert again.record.model_dump(exclude=told) == store.record.model_dump(exclude=told)
        jsonschema.validate(on_disk(again), SCHEMA)
    if damage is not None:
        assert (store.folder / "session.broken1.json").read_bytes() == damage
    with SessionStore.open(store.folder) as healthy:
        # It stays on record that it was not as the station wrote it.
        assert healthy.seal.state == "altered"
        assert [p.code for p in healthy.problems] == ["seal_record_damaged"]


def test_a_damaged_session_from_before_seals_is_rebuilt_and_says_what_is_lost(store):
    store.save_battery(result())
    store.save_battery(result("002", kind="review"))
    store.decide("001", decision("normal"))
    store.decide("003", decision("external_defect"))
    store.close()
    make_unsealed(store.folder)
    (store.folder / "session.json").write_bytes(b"{")
    with SessionStore.open(store.folder) as again:
        assert {r.battery_id: r.kind for r in again.record.batteries} == {
            "001": "internal_defect",
            "002": "review",
            "003": "not_inspected",
        }
        assert word(row(again)) == decision("normal")
        assert word(row(again, "003")) == decision("external_defect")
        assert again.remaining(LOT) == ["003"]
        assert again.problems[0].code == "session_rebuilt"
        assert again.seal.state == "unsealed"
        assert "복구되지 않았습니다" in again.record.error_message
        jsonschema.validate(on_disk(again), SCHEMA)
    assert (store.folder / "session.broken1.json").read_bytes() == b"{"
    with SessionStore.open(store.folder) as healthy:
        assert healthy.problems == ()


def test_reading_a_damaged_session_changes_no_file(store):
    store.save_battery(result())
    store.decide("001", decision())
    with (store.folder / "audit.jsonl").open("ab") as log:
        log.write(b'{"torn')
    (store.folder / "session.json").write_bytes(b"{")
    store.close()
    before = {p: p.read_bytes() for p in store.folder.rglob("*") if p.is_file()}
    with SessionStore.open(store.folder, read_only=True) as reader:
        assert [p.code for p in reader.problems] == ["seal_record_damaged", "session_audit_torn"]
        assert word(row(reader)) == decision()
    assert {p: p.read_bytes() for p in store.folder.rglob("*") if p.is_file()} == before


def test_a_damaged_battery_is_named_set_aside_and_inspected_again(store):
    store.save_battery(result())
    (store.folder / "batteries" / "001.json").write_bytes(b"\0\0")
    with pytest.raises(SessionError, match=r"001\.json"):
        store.load_battery("001")
    store.close()
    with SessionStore.open(store.folder) as again:
        assert "001.json" in again.problems[0].text("ko")
        assert again.remaining(LOT) == ["001", "002", "003"]
        again.save_battery(result())
        assert again.load_battery("001") == result()
        assert again.record.processed_images == IMAGES
        assert row(again).state == "done"
    (aside,) = (store.folder / "batteries" / "set_aside").iterdir()
    assert aside.read_bytes() == b"\0\0"


def test_a_torn_decision_is_set_aside_and_said(store):
    store.save_battery(result())
    store.decide("001", decision())
    with (store.folder / "audit.jsonl").open("ab") as log:
        log.write(b'{"action":"over')
    store.close()
    with SessionStore.open(store.folder) as again:
        assert [p.code for p in again.problems] == ["session_audit_torn"]
        again.change("001", decision("review"))
    assert log_is_whole(store.folder)


class Killed(BaseException):
    """Stands for the end of the process; nothing in the product catches it."""


def test_a_kill_at_any_step_on_the_disk_loses_nothing_acknowledged(tmp_path, monkeypatch):
    """Stop before the n-th sync or replace, for every n that the scenario has."""
    steps = {"left": 10**9}

    def counted(real):
        def step(*args):
            if steps["left"] == 0:
                raise Killed
            steps["left"] -= 1
            return real(*args)

        return step

    monkeypatch.setattr(atomic.os, "fsync", counted(os.fsync))
    monkeypatch.setattr(atomic.Path, "replace", counted(Path.replace))
    # The store's own tidying on errors would not run in a kill.
    monkeypatch.setattr(atomic.Path, "unlink", lambda *_, **__: None)

    stopped_everywhere = False
    for stop in range(100):
        steps["left"] = 10**9
        store = create(tmp_path)
        acknowledged = []
        steps["left"] = stop
        try:
            for battery_id in ("001", "002"):
                store.save_battery(result(battery_id))
                acknowledged.append(battery_id)
                store.decide(battery_id, decision())
                acknowledged.append(f"{battery_id} decided")
            stopped_everywhere = True
        except Killed:
            pass
        steps["left"] = 10**9
        store.close()
        with SessionStore.open(store.folder) as again:
            rows = {r.battery_id: r for r in again.record.batteries}
            saved = {i for i, r in rows.items() if r.state == "done"}
            saved |= {f"{i} decided" for i, r in rows.items() if r.decision}
            assert set(acknowledged) <= saved
            assert len(saved) <= len(acknowledged) + 1
            jsonschema.validate(on_disk(again), SCHEMA)
        assert log_is_whole(store.folder)
        if stopped_everywhere:
            break
    assert stopped_everywhere
    assert stop > 10


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[3]]
from test_store import create, decision, lot_of, result
ids = [f"{n:03}" for n in range(200)]
store = create(Path(sys.argv[1]), lot_of(*ids))
print("ready", flush=True)
for n, battery_id in enumerate(ids):
    store.save_battery(result(battery_id, images=300))
    print(battery_id, flush=True)
    store.decide(battery_id, decision("normal", minute=n))
    print(battery_id, "decided", flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kill -9 is of POSIX")
@pytest.mark.parametrize("seed", range(5))
def test_kill_9_loses_at_most_the_battery_in_work(tmp_path, seed):
    dice = random.Random(seed)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), *map(str, (HERE, HERE.parents[1]))],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout.readline() == "ready\n"
    acknowledged = [writer.stdout.readline() for _ in range(dice.randrange(12))]
    # Busy until a random moment inside the next writes.
    for _ in range(dice.randrange(200_000)):
        pass
    writer.kill()
    acknowledged += writer.stdout.read().splitlines(keepends=True)
    writer.wait()
    writer.stdout.close()

    (folder,) = tmp_path.iterdir()
    with SessionStore.open(folder) as store:
        rows = {r.battery_id: r for r in store.record.batteries}
        for line in acknowledged:
            if not line.endswith("\n"):
                continue
            saved = rows[line.split()[0]]
            assert saved.state == "done"
            assert store.load_battery(saved.battery_id) == result(saved.battery_id, images=300)
            if line.endswith("decided\n"):
                assert word(saved) == decision("normal", minute=int(saved.battery_id))
        done = sum(r.state == "done" for r in rows.values())
        assert done <= sum(" " not in line for line in acknowledged) + 1
        assert store.record.processed_images == 300 * done
        jsonschema.validate(on_disk(store), SCHEMA)
    assert log_is_whole(folder)


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_said_and_nothing_is_lost(store, monkeypatch):
    store.save_battery(result())
    before = {p: p.read_bytes() for p in store.folder.rglob("*") if p.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        for write in (
            lambda: store.save_battery(result(kind="normal")),
            lambda: store.decide("001", decision()),
        ):
            with pytest.raises(SessionError, match="No space left on device"):
                write()
    after = {p: p.read_bytes() for p in store.folder.rglob("*") if p.is_file()}
    assert {p: c for p, c in after.items() if c} == {p: c for p, c in before.items() if c}
    assert row(store).decision is None
    store.decide("001", decision("review"))
    assert len(entries_of(store.folder)) == 1


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", ["044", "B-12", "셀 044", "cell_pouch_001", "A.1"])
def test_a_safe_id_is_its_own_file_name(plain):
    assert battery_file_name(plain) == plain


@pytest.mark.parametrize(
    "odd",
    ["a/b", "a\\b", "..", ".", "", "CON", "nul.x", "a:b", "x" * 300, "셀" * 90, "tail.", " x", "?"],
)
def test_an_odd_id_gets_a_safe_name_of_its_own(store, odd):
    name = battery_file_name(odd)
    assert name != odd
    assert len(name.encode()) < 200
    assert not set(name) & set('/\\:*?"<>|')
    store.save_battery(result(odd))
    assert store.load_battery(odd).battery_id == odd
    assert (store.folder / "batteries" / f"{name}.json").is_file()


@given(st.lists(st.text(max_size=40), unique=True, max_size=8))
def test_different_ids_never_share_a_name(ids):
    assert len({battery_file_name(i) for i in ids}) == len(ids)


def test_ids_that_differ_in_case_only_keep_apart_even_after_a_rebuild(tmp_path):
    with create(tmp_path, lot_of("A1", "a1")) as store:
        store.save_battery(result("a1", kind="review"))
        store.save_battery(result("A1"))
    names = [p.name.casefold() for p in (store.folder / "batteries").iterdir()]
    assert len(set(names)) == 2
    (store.folder / "session.json").unlink()
    with SessionStore.open(store.folder) as again:
        assert again.load_battery("a1").verdict.kind == "review"
        assert again.load_battery("A1").verdict.kind == "internal_defect"


# -- history -----------------------------------------------------------------------------------


def test_the_history_is_newest_first_and_names_what_is_broken(tmp_path):
    for minutes in (0, 10, 5):
        create(tmp_path, now=NOW + timedelta(minutes=minutes)).close()
    newest, *_, oldest = list_sessions(tmp_path)
    assert newest.record.created_at > oldest.record.created_at
    (oldest.folder / "session.json").write_bytes(b"{")
    (tmp_path / "not a session").mkdir()
    (tmp_path / "note.txt").touch()
    listings = list_sessions(tmp_path)
    assert [x.record is None for x in listings] == [False, False, True]
    assert oldest.run_id in listings[-1].problem.text("ko")
    assert list_sessions(tmp_path / "nowhere") == []


@pytest.mark.parametrize("kind", ["review", "not_inspected"])
def test_what_the_station_left_open_cannot_be_accepted(store, kind):
    store.save_battery(result(kind=kind))
    with pytest.raises(SessionError) as refused:
        store.decide("001", decision(kind, action="accept"))
    assert refused.value.message.code == "session_accept_open"
    assert row(store).decision is None
