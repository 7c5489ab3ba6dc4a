"""Each way to change a session behind the station's back is noticed, named, and of no effect."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders.before_seals import make_unsealed
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from inspection.errors import SealError
from inspection.people.person import Person
from inspection.records import Battery, Lot
from inspection.results import BatteryResult, JudgedBy, ModelProvenance, Verdict
from inspection.seals.chain import Chain, canonical, digest_of
from inspection.seals.keys import fingerprint, station_key
from inspection.session.creating import create_session
from inspection.session.record import Decision, final_kind
from inspection.session.store import SessionStore
from inspection.session.story import SealedFile
from inspection.session.verify import verify_session

KIM, LEE = Person(name="Kim", role="operator"), Person(name="Lee", role="quality")
DEFECT, NORMAL = "internal_defect", "normal"
LOT = Lot(Path("/lot"), tuple(Battery(f"00{n}", f"00{n}", None) for n in range(1, 5)), ())


def result(battery_id: str, kind: Any) -> BatteryResult:
    judges = {"ensemble": JudgedBy(models={"ct_cnn": "a" * 64}, policy="b" * 64)}
    return BatteryResult(
        battery_id=battery_id, state="done", verdict=Verdict(kind=kind), judged_by=judges
    )


def word(kind: Any, person: Person = KIM) -> Decision:
    return Decision(
        action="override",
        kind=kind,
        operator=person.name,
        role=person.role,
        reason="scratch",
        decided_at=datetime.now().astimezone(),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A session: 001 is a defect, 002 normal and overridden to a defect, 003 normal, 004 queued."""
    with create_session(
        tmp_path / "sessions",
        lot=LOT,
        language="en",
        config={"inspector": {"threshold": 0.5}},
        device="cpu",
        operator="Kim",
        models=[ModelProvenance(slot="ct_cnn", name="demo", sha256="a" * 64)],
    ) as store:
        store.mark("processing")
        store.save_battery(result("001", DEFECT))
        store.save_battery(result("002", NORMAL))
        store.decide("002", word(DEFECT))
        store.save_battery(result("003", NORMAL))
        return store.folder


def edited(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def row_to_normal(folder: Path) -> None:
    edited(folder / "session.json", lambda r: r["batteries"][0].update(kind=NORMAL))


def file_to_normal(folder: Path) -> None:
    edited(folder / "batteries/001.json", lambda b: b["verdict"].update(kind=NORMAL))


def both_to_normal(folder: Path) -> None:
    row_to_normal(folder)
    file_to_normal(folder)
    digest = hashlib.sha256((folder / "batteries/001.json").read_bytes()).hexdigest()
    edited(folder / "session.json", lambda r: r["batteries"][0].update(digest=digest))


def file_to_normal_with_its_old_time(folder: Path) -> None:
    path = folder / "batteries/001.json"
    before = path.stat()
    file_to_normal(folder)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def ids_swapped(folder: Path) -> None:
    first, third = folder / "batteries/001.json", folder / "batteries/003.json"
    texts = first.read_text(encoding="utf-8"), third.read_text(encoding="utf-8")
    first.write_text(texts[1].replace('"003"', '"001"'), encoding="utf-8")
    third.write_text(texts[0].replace('"001"', '"003"'), encoding="utf-8")


def row_twice(folder: Path) -> None:
    def change(record: Any) -> None:
        record["batteries"].append({**record["batteries"][0], "kind": NORMAL})

    edited(folder / "session.json", change)


def key_twice(folder: Path) -> None:
    path = folder / "session.json"
    text = path.read_text(encoding="utf-8")
    mark = '"kind": "internal_defect"'
    assert mark in text
    path.write_text(text.replace(mark, f'{mark}, "kind": "normal"', 1), encoding="utf-8")


def key_of_a_file_twice(folder: Path) -> None:
    path = folder / "batteries/001.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[:-1] + ',"state":"done"}', encoding="utf-8")


def row_removed(folder: Path) -> None:
    edited(folder / "session.json", lambda r: r["batteries"].pop(0))


def policy_changed(folder: Path) -> None:
    edited(folder / "session.json", lambda r: r["config"]["inspector"].update(threshold=0.9))


def models_digest_changed(folder: Path) -> None:
    edited(folder / "session.json", lambda r: r["models"][0].update(sha256="c" * 64))


def judge_changed(folder: Path) -> None:
    def change(battery: Any) -> None:
        battery["judged_by"]["ensemble"]["policy"] = "c" * 64

    edited(folder / "batteries/001.json", change)


def audit_deleted(folder: Path) -> None:
    (folder / "audit.jsonl").unlink()


def audit_deleted_and_rows_edited(folder: Path) -> None:
    both_to_normal(folder)
    audit_deleted(folder)


def line_altered(folder: Path, *, rehash: bool = False) -> None:
    path = folder / "audit.jsonl"
    lines = path.read_bytes().splitlines()
    number = next(n for n, line in enumerate(lines) if json.loads(line)["event"] == "decided")
    content = json.loads(lines[number])
    content["content"]["decision"]["kind"] = NORMAL
    if rehash:
        hashed = {k: v for k, v in content.items() if k not in ("hash", "signature")}
        content["hash"] = digest_of(hashed)
    lines[number] = canonical(content)
    path.write_bytes(b"\n".join([*lines, b""]))


def rehashed(folder: Path) -> None:
    line_altered(folder, rehash=True)


def line_removed(folder: Path) -> None:
    path = folder / "audit.jsonl"
    lines = path.read_bytes().splitlines()
    kept = [line for line in lines if json.loads(line)["event"] != "decided"]
    path.write_bytes(b"\n".join([*kept, b""]))


def line_forged(folder: Path) -> None:
    """Append a decision, hashed and signed as it should be, but with another key."""
    own = os.environ["STATION_DATA"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATION_DATA", f"{own} forged")
        forger = Chain.open(folder / "audit.jsonl", station_key())
        decision = word(NORMAL).model_dump(mode="json")
        content = {"battery_id": "001", "kind_before": DEFECT, "decision": decision}
        session = json.loads(lines_of(folder, "opened")[0])["hash"]
        last = {"changes": None, "restores": None, "session": session}
        forger.append("decided", {**content, **last})


def lines_of(folder: Path, event: str) -> list[bytes]:
    lines = (folder / "audit.jsonl").read_bytes().splitlines(keepends=True)
    return [line for line in lines if json.loads(line)["event"] == event]


def line_of_another_session(folder: Path) -> None:
    """Append what the station itself has signed, of the same battery in another session."""
    with create_session(
        folder.parent.parent / "other", lot=LOT, language="en", config={}, device="cpu"
    ) as store:
        for _ in range(8):
            store.mark("processing")
        store.save_battery(result("001", NORMAL))
        store.decide("002", word(NORMAL))
    with (folder / "audit.jsonl").open("ab") as file:
        file.write(b"".join(lines_of(store.folder, "inspected")))
        file.write(b"".join(lines_of(store.folder, "decided")))
    shutil.copy(store.folder / "batteries/001.json", folder / "batteries/001.json")


def line_repeated(folder: Path) -> None:
    """Append once more an earlier decision, which was changed since."""
    with SessionStore.open(folder) as store:
        store.change("002", word(NORMAL))
        store.change("002", word(DEFECT, LEE))
    with (folder / "audit.jsonl").open("ab") as file:
        file.write(lines_of(folder, "decided")[1])


def beginning_altered(folder: Path) -> None:
    """Take the first line away, and put another session's inspection behind the rest."""
    line_of_another_session(folder)
    path = folder / "audit.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


def tail_cut(folder: Path) -> None:
    path = folder / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))


def made_into_an_old_session(folder: Path) -> None:
    """Take away everything that has to do with seals, and edit what is left."""
    log = Path(os.environ["STATION_DATA"]) / "log"
    kept = Path(shutil.copytree(log, log.with_name("kept")))
    both_to_normal(folder)
    make_unsealed(folder)
    kept.rename(log)


def every_file_of_a_session_made_anew(folder: Path) -> None:
    """Put another session in its place, sealed by the station itself."""
    shutil.rmtree(folder)
    with create_session(
        folder.parent.parent / "other", lot=LOT, language="en", config={}, device="cpu"
    ) as store:
        store.save_battery(result("001", NORMAL))
    shutil.copytree(store.folder, folder)


def stray_battery(folder: Path) -> None:
    text = result("004", NORMAL).model_dump_json()
    (folder / "batteries/004.json").write_text(text, encoding="utf-8")


def battery_removed(folder: Path) -> None:
    (folder / "batteries/001.json").unlink()


def forged_decision_in_its_row(folder: Path) -> None:
    decision = word(NORMAL).model_dump(mode="json")
    edited(folder / "session.json", lambda r: r["batteries"][0].update(decision=decision))


def signature_forged(folder: Path) -> None:
    signed = {"meaning": "approved", "name": "Lee", "signed_at": "2026-11-28T09:00:00+09:00"}
    edited(folder / "session.json", lambda r: r.update(signatures=[signed]))


EDITS: dict[Callable[[Path], None], tuple[str, str]] = {
    row_to_normal: ("seal_row_altered", "001"),
    file_to_normal: ("seal_battery_altered", "001"),
    both_to_normal: ("seal_row_altered", "001"),
    file_to_normal_with_its_old_time: ("seal_battery_altered", "001"),
    ids_swapped: ("seal_battery_altered", "001"),
    row_twice: ("seal_record_damaged", "session.json"),
    key_twice: ("seal_record_damaged", "session.json"),
    key_of_a_file_twice: ("seal_battery_altered", "001"),
    row_removed: ("seal_row_removed", "001"),
    policy_changed: ("seal_field_altered", "config"),
    models_digest_changed: ("seal_field_altered", "models"),
    judge_changed: ("seal_battery_altered", "001"),
    audit_deleted: ("seal_chain_gone", "audit.jsonl"),
    audit_deleted_and_rows_edited: ("seal_chain_gone", "audit.jsonl"),
    line_altered: ("seal_line_altered", "line 5"),
    rehashed: ("seal_signature_wrong", "line 5"),
    line_removed: ("seal_line_moved", "line 5"),
    line_forged: ("seal_line_foreign", "line 7"),
    line_of_another_session: ("seal_line_moved", "line 7"),
    line_repeated: ("seal_line_moved", "line 9"),
    beginning_altered: ("seal_line_moved", "line 1"),
    tail_cut: ("seal_chain_cut", "audit.jsonl"),
    made_into_an_old_session: ("seal_chain_gone", "audit.jsonl"),
    every_file_of_a_session_made_anew: ("seal_replaced", "another one"),
    stray_battery: ("seal_battery_unknown", "004.json"),
    battery_removed: ("seal_battery_gone", "001.json"),
    forged_decision_in_its_row: ("seal_row_altered", "001"),
    signature_forged: ("seal_field_altered", "signatures"),
}


def test_a_session_as_it_was_written_is_sealed(folder: Path) -> None:
    report = verify_session(folder)
    assert (report.state, report.problems) == ("sealed", ())
    assert report.keys == (fingerprint(station_key().public),)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_an_edit_is_noticed_named_and_makes_nothing_normal(
    edit: Callable[[Path], None], folder: Path
) -> None:
    edit(folder)
    report = verify_session(folder)
    code, place = EDITS[edit]
    assert report.state == "altered"
    assert report.problems[0].code == code
    assert place in report.problems[0].text("en")
    # First as a reader sees it, then as a writer leaves it, then as it is from then on.
    for read_only in (True, False, True):
        with SessionStore.open(folder, read_only=read_only) as store:
            assert store.seal.state == "altered"
            assert code in [problem.code for problem in store.problems]
            if edit is every_file_of_a_session_made_anew:
                continue
            rows = {row.battery_id: row for row in store.record.batteries}
            for battery_id in ("001", "002"):
                row = rows[battery_id]
                assert final_kind(row.kind, row.decision) != NORMAL
            # The lines of the chain that are genuine still count, each as it was.
            assert rows["003"].kind in (NORMAL, "not_inspected")
            assert rows["004"].state == "queued"


def test_a_kill_right_after_the_first_line_is_no_alteration(folder: Path) -> None:
    with create_session(folder.parent, lot=LOT, language="en", config={}, device="cpu") as store:
        (store.folder / "session.json").unlink()
        assert verify_session(store.folder).state == "sealed"
        again = store.folder
    with SessionStore.open(again) as store:
        assert store.problems == ()
        assert store.remaining(LOT) == ["001", "002", "003", "004"]


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_verify import result, word, NORMAL, DEFECT
from inspection.session.store import SessionStore
from inspection.session.story import SealedFile
with SessionStore.open(Path(sys.argv[1])) as store:
    print("ready", flush=True)
    while True:
        store.save_battery(result("003", NORMAL))
        store.save_battery(result("001", DEFECT))
        store.change("002", word(DEFECT))
"""


def test_a_session_that_is_being_written_is_never_called_altered(folder: Path) -> None:
    here = Path(__file__).parent
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(here), str(here.parents[1])],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        for _ in range(20):
            report = verify_session(folder)
            assert (report.state, report.problems) == ("sealed", ())
    finally:
        writer.kill()
        writer.communicate()
    assert verify_session(folder).state == "sealed"


def test_what_was_altered_is_inspected_again_and_kept_aside(folder: Path) -> None:
    both_to_normal(folder)
    altered = (folder / "batteries/001.json").read_bytes()
    with SessionStore.open(folder) as store:
        assert store.remaining(LOT) == ["001", "004"]
        store.save_battery(result("001", DEFECT))
        assert store.load_battery("001").verdict.kind == DEFECT
    (aside,) = (folder / "batteries/set_aside").iterdir()
    assert aside.read_bytes() == altered
    assert (
        json.loads((folder / "session.broken1.json").read_bytes())["batteries"][0]["kind"] == NORMAL
    )
    # That it was altered stays on record.
    assert verify_session(folder).state == "altered"


def test_a_session_set_back_to_an_earlier_copy_is_noticed_by_the_stations_log(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "earlier")
    with SessionStore.open(folder) as store:
        store.decide("003", word(DEFECT))
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "earlier", folder)
    report = verify_session(folder)
    assert report.state == "altered"
    told = sorted(problem.code for problem in report.problems)
    assert told == ["seal_decision_restored", "seal_set_back"]
    # The station's log still knows what was decided: the battery does not pass as normal again.
    for _ in range(2):
        with SessionStore.open(folder) as store:
            row = next(row for row in store.record.batteries if row.battery_id == "003")
            assert row.decision is not None
            assert (row.decision.kind, row.decision.reason) == (DEFECT, "scratch")
            assert final_kind(row.kind, row.decision) == DEFECT


def test_an_undo_that_was_cut_off_lets_no_defect_pass_as_normal(
    folder: Path, tmp_path: Path
) -> None:
    with SessionStore.open(folder) as store:
        store.decide("001", word(NORMAL))
    shutil.copytree(folder, tmp_path / "earlier")
    with SessionStore.open(folder) as store:
        store.undo(KIM)
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "earlier", folder)
    with SessionStore.open(folder, read_only=True) as store:
        row = store.record.batteries[0]
        assert (row.kind, row.decision) == (DEFECT, None)


def test_a_copy_elsewhere_is_sealed_as_well(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy" / folder.name)
    assert verify_session(copy).state == "sealed"
    shutil.rmtree(folder)
    assert verify_session(copy).state == "sealed"


def test_a_clock_that_was_set_back_is_told_with_its_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Back(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) - timedelta(hours=1)

    with monkeypatch.context() as patch:
        patch.setattr("inspection.seals.chain.datetime", Back)
        with SessionStore.open(folder) as store:
            store.decide("003", word(DEFECT))
    (problem,) = verify_session(folder).problems
    assert problem.code == "seal_clock_back"
    assert "line 7" in problem.text("en")


def test_a_session_of_a_station_that_the_site_does_not_know(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = fingerprint(station_key().public)
    monkeypatch.setenv("STATION_DATA", str(tmp_path / "another station"))
    assert verify_session(folder).state == "unknown_key"
    # It goes on here, and what each has written counts.
    with SessionStore.open(folder) as store:
        store.decide("003", word(DEFECT, LEE))
    report = verify_session(folder)
    assert report.state == "unknown_key"
    assert report.keys == (own, fingerprint(station_key().public))
    with SessionStore.open(folder, read_only=True) as store:
        rows = {row.battery_id: row for row in store.record.batteries}
        assert rows["002"].decision.operator == "Kim"
        assert rows["003"].decision.operator == "Lee"
    names = "".join(f"    - {key}\n" for key in report.keys)
    site = tmp_path / "site"
    site.mkdir()
    (site / "site.yaml").write_text(f"keeping:\n  trusted_keys:\n{names}", encoding="utf-8")
    monkeypatch.setenv("STATION_SITE", str(site))
    assert verify_session(folder).state == "sealed"


def test_a_session_is_read_although_the_stations_key_is_damaged(
    folder: Path, station_data: Path
) -> None:
    (station_data / "keys" / "station.pem").write_bytes(b"")
    with SessionStore.open(folder, read_only=True) as store:
        assert store.seal.state == "unknown_key"
        assert store.record.batteries[0].kind == DEFECT
    with pytest.raises(SealError, match=r"station\.pem"):
        SessionStore.open(folder)


def test_an_old_session_is_unsealed_loses_nothing_and_is_sealed_from_its_next_change_on(
    folder: Path,
) -> None:
    with SessionStore.open(folder, read_only=True) as store:
        before = {row.battery_id: (row.kind, row.decision) for row in store.record.batteries}
    make_unsealed(folder)
    told = (folder / "audit.jsonl").read_bytes()
    with SessionStore.open(folder) as store:
        assert (store.seal.state, store.problems) == ("unsealed", ())
        rows = {row.battery_id: row for row in store.record.batteries}
        assert {i: row.kind for i, row in rows.items()} == {i: k for i, (k, _) in before.items()}
        assert rows["002"].decision.operator == "Kim"
        assert (folder / "audit.jsonl").read_bytes() == told
        store.change("002", word("composite_defect", LEE))
    assert (folder / "audit.jsonl").read_bytes().startswith(told)
    report = verify_session(folder)
    assert (report.state, report.problems) == ("unsealed", ())
    assert report.since is not None
    with SessionStore.open(folder) as store:
        (row,) = (row for row in store.record.batteries if row.battery_id == "002")
        assert [decision.operator for decision in row.earlier] == ["Kim"]
        assert store.undo(LEE).decision.operator == "Kim"
    file_to_normal(folder)
    assert verify_session(folder).problems[0].code == "seal_battery_altered"


def test_opening_seals_and_reading_writes_nothing(folder: Path) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    file_to_normal(folder)
    before[folder / "batteries/001.json"] = (folder / "batteries/001.json").read_bytes()
    verify_session(folder)
    SessionStore.open(folder, read_only=True).close()
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", ["../../evil", "a/b", "C:evil", "..", "", ".hidden", "a\\b"])
def test_no_line_names_a_file_outside_of_the_session(name: str) -> None:
    with pytest.raises(ValueError, match="battery's file"):
        SealedFile(name, "0" * 64)


def test_a_line_of_another_key_without_a_time_zone_breaks_nothing(folder: Path) -> None:
    path = folder / "audit.jsonl"
    line = json.loads(path.read_bytes().splitlines()[-1])
    foreign = Ed25519PrivateKey.generate()
    line |= {
        "at": "2026-11-28T10:00:00",
        "sequence": line["sequence"] + 1,
        "previous": line["hash"],
    }
    line["key"] = base64.b64encode(foreign.public_key().public_bytes_raw()).decode()
    hashed = {key: value for key, value in line.items() if key not in ("hash", "signature")}
    line["hash"] = digest_of(hashed)
    path.write_bytes(path.read_bytes() + canonical(line) + b"\n")
    report = verify_session(folder)
    assert report.state == "altered"
