"""What changed from one session to the next over the same lot."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from builders.compared_sessions import NOW, battery_result, ensemble_image, vlm_image, write_session

from inspection.comparison.changes import compare_sessions
from inspection.results import ModelProvenance
from inspection.session.store import open_to_read

CT = "CT_cell_pouch_001_z_004.jpg"
OTHER = "CT_cell_pouch_001_z_005.jpg"


def changes(tmp_path: Path, before, after, *, lots=("lot", "lot"), **records):
    stores = [
        open_to_read(
            write_session(
                tmp_path / "sessions",
                tmp_path / lot,
                results,
                name=NOW + timedelta(days=day),
                **records.get(key, {}),
            )
        )
        for day, (key, results, lot) in enumerate(
            zip(("old", "new"), (before, after), lots, strict=True)
        )
    ]
    return compare_sessions(*stores)


def battery(name: str, ensemble, vlm=None):
    return battery_result(
        name,
        [ensemble_image(image, word) for image, word in ensemble.items()],
        [vlm_image(image, word) for image, word in (vlm or {}).items()],
    )


def test_nothing_changed_where_nothing_did(tmp_path):
    same = [battery("001", {CT: "normal"}, {CT: "normal"})]
    found = changes(tmp_path, same, same)
    assert (found.batteries, found.problem) == (1, None)
    assert found.verdicts == found.decisions == found.settings == ()
    assert found.models_before == found.models_after == ()
    assert [(s.system, s.images, s.changes) for s in found.systems] == [
        ("ensemble", 1, ()),
        ("vlm", 1, ()),
    ]


def test_verdicts_and_judgements_that_changed_are_listed(tmp_path):
    found = changes(
        tmp_path,
        [
            battery("001", {CT: "normal", OTHER: "normal"}, {CT: "normal"}),
            battery("002", {CT: "defect"}),
            battery("003", {CT: "normal"}),
        ],
        [
            battery("001", {CT: "defect", OTHER: "normal"}, {CT: "review", OTHER: "normal"}),
            battery("002", {CT: "defect"}),
            battery("004", {CT: "normal"}),
        ],
    )
    assert found.batteries == 2
    assert (found.only_before, found.only_after) == (("003",), ("004",))
    (verdict,) = found.verdicts
    assert (verdict.battery_id, verdict.before, verdict.after) == (
        "001",
        "normal",
        "internal_defect",
    )
    ensemble, vlm = found.systems
    assert (ensemble.images, vlm.images) == (3, 1)
    assert [(c.image, c.before, c.after) for c in ensemble.changes] == [(CT, "normal", "defect")]
    assert [(c.image, c.before, c.after) for c in vlm.changes] == [(CT, "normal", "review")]


def test_a_judgement_that_was_lost_is_a_change(tmp_path):
    found = changes(tmp_path, [battery("001", {CT: "normal"})], [battery("001", {CT: "failed"})])
    (change,) = found.systems[0].changes
    assert (change.before, change.after) == ("normal", None)


def test_decisions_models_and_policy(tmp_path):
    same = [battery("001", {CT: "defect"}), battery("002", {CT: "defect"})]
    old = {"config": {"inspector": {"method": "voting", "w": [1, 2]}, "sample": 1}}
    new = {
        "config": {"inspector": {"method": "rule_based", "w": [1, 2]}, "sample": None},
        "models": [ModelProvenance(slot="ct_cnn", name="new", sha256="cd" * 32)],
        "decisions": {"002": "normal"},
    }
    found = changes(tmp_path, same, same, old=old, new=new)
    assert [(s.name, s.before, s.after) for s in found.settings] == [
        ("inspector.method", "voting", "rule_based"),
        ("sample", "1", None),
    ]
    assert [m.name for m in (*found.models_before, *found.models_after)] == ["demo", "new"]
    assert [(d.battery_id, d.before, d.after) for d in found.decisions] == [("002", None, "normal")]
    assert found.verdicts == ()


def test_another_lots_batteries_are_not_compared(tmp_path):
    found = changes(
        tmp_path,
        [battery("001", {CT: "normal"})],
        [battery("001", {CT: "defect"})],
        lots=("lot", "other"),
    )
    assert found.problem is not None
    assert found.problem.code == "comparison_other_lot"
    assert found.batteries == 0
    assert found.verdicts == found.systems == found.only_before == ()


def test_a_damaged_battery_stops_nothing(tmp_path):
    results = [battery("001", {CT: "normal"}), battery("002", {CT: "normal"})]
    first = write_session(tmp_path / "s", tmp_path / "lot", results)
    second = write_session(tmp_path / "s", tmp_path / "lot", results, name=NOW + timedelta(days=1))
    (second / "batteries/001.json").write_bytes(b"{")
    found = compare_sessions(open_to_read(first), open_to_read(second))
    assert found.batteries == 2
    assert found.systems[0].images == 1
