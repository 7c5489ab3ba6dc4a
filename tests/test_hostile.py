"""Five hundred hostile inputs: each is read, or refused in a sentence; none ends in a traceback.

`benchmarks/hostile.py` gives ten thousand, in processes whose memory and time are looked at.
"""

from __future__ import annotations

import faulthandler
from random import Random

import pytest
from builders.hostile import HostileInput, look_at, make_input

from inspection.synthetic import SyntheticLot

SEED = 20261127
COUNTS = {"image": 310, "label": 60, "table": 30, "yaml": 60, "lot": 16, "bundle": 6, "zip": 12}
BATTERIES = 6
HANG_S = 120
"""After so long the process ends with a traceback: an input that hangs would hang the suite."""


@pytest.fixture(autouse=True)
def nothing_hangs():
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def test_five_hundred_in_all():
    assert sum(COUNTS.values()) + BATTERIES == 500


@pytest.mark.parametrize("kind", COUNTS)
def test_hostile_inputs_are_read_or_refused(kind, tmp_path):
    wrong, results = [], set()
    for number in range(COUNTS[kind]):
        found = make_input(kind, number, SEED)
        outcome = look_at(found, found.write(tmp_path / str(number)), tmp_path)
        results.add(outcome.result)
        if outcome.result == "error":
            wrong.append(f"{number} ({found.made}): {outcome.said}")
    assert wrong == []
    # Were all refused, nothing of what is read would have been tried.
    assert "read" in results or COUNTS[kind] < 16


def test_a_defective_battery_is_never_normal(tmp_path):
    from builders.hostile_batteries import Judge, hostile_battery, write_batteries

    spec = SyntheticLot(batteries=2, slices=9, views=3, canvas=320, seed=77, defects=1.0)
    write_batteries(tmp_path, spec)
    judge = Judge(tmp_path)
    assert {found.shown for found in judge.defective} == {"ct"}
    wrong = []
    for number in range(BATTERIES):
        made, files = hostile_battery(Random(f"{SEED} {number}"), judge.defective)
        lot = tmp_path / str(number)
        below = {f"B1/{name}": data for name, data in files.items()}
        HostileInput("battery", number, made, below, "").write(lot)
        if judge.verdict_of(lot) == "normal":
            wrong.append(f"{number} ({made})")
    judge.close()
    assert wrong == []
