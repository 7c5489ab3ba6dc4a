"""Five hundred hostile inputs: each is read, or refused in a sentence; none ends in a traceback.

`benchmarks/hostile.py` gives ten thousand, in processes whose memory and time are looked at.
"""

from __future__ import annotations

import faulthandler
import io
from random import Random

import numpy as np
import pytest
from builders.hostile import HostileInput, look_at, make_input
from builders.hostile_images import saved
from builders.tiff_files import TiffFile
from PIL import Image

from inspection.synthetic import SyntheticLot

SEED = 20261127
COUNTS = {"image": 310, "label": 60, "table": 30, "yaml": 60, "lot": 16, "bundle": 6, "zip": 12}
BATTERIES = 6
HANG_S = 600
"""After so long the process ends with a traceback: an input that hangs would hang the suite."""


@pytest.fixture(autouse=True)
def nothing_hangs():
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    from builders.hostile_batteries import Judge, write_batteries

    folder = tmp_path_factory.mktemp("batteries")
    spec = SyntheticLot(batteries=2, slices=9, views=3, canvas=320, seed=77, defects=1.0)
    write_batteries(folder, spec)
    judge = Judge(folder)
    assert {found.shown for found in judge.defective} == {"ct"}
    yield judge
    judge.close()


@pytest.fixture
def verdict(judge, tmp_path):
    """Return what the ensemble says of a battery's files."""

    def verdict(number, files):
        below = {f"B1/{name}": data for name, data in files.items()}
        HostileInput("battery", 0, "", below, "").write(tmp_path / str(number))
        return judge.verdict_of(tmp_path / str(number))

    return verdict


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


def test_a_defective_battery_is_never_normal(judge, verdict):
    from builders.hostile_batteries import hostile_battery

    wrong = []
    for number in range(BATTERIES):
        made, files = hostile_battery(Random(f"{SEED} {number}"), judge.defective)
        if verdict(number, files) == "normal":
            wrong.append(f"{number} ({made})")
    assert wrong == []


def deep(gain, offset):
    return lambda p, _: TiffFile(p.astype(np.uint16) * gain + np.uint16(offset), bits=16).bytes()


def without_its_end(pixels, _normal):
    data, start = bytearray(TiffFile(pixels).bytes()), 8 + pixels.size // 3
    data[start : 8 + pixels.size] = bytes(8 + pixels.size - start)
    return bytes(data)


def two_jpegs(pixels, normal):
    return b"".join(saved(Image.fromarray(p), "JPEG", quality=95) for p in (normal, pixels))


def animated(pixels, normal):
    stream = io.BytesIO()
    first, second = Image.fromarray(normal), Image.fromarray(pixels)
    first.save(stream, "PNG", save_all=True, append_images=[second], default_image=True)
    return stream.getvalue()


STORED = {
    "as it is": (lambda p, _: saved(Image.fromarray(p), "PNG"), {"internal_defect"}),
    "12 bits": (deep(16, 0), {"internal_defect", "review"}),
    "14 bits": (deep(64, 0), {"internal_defect", "review"}),
    "an offset": (deep(78, 12_000), {"internal_defect", "review"}),
    "the end never written": (without_its_end, {"review"}),
    "two JPEGs, the first normal": (two_jpegs, {"review"}),
    "an animation, the first frame normal": (animated, {"review"}),
}


def test_what_hides_a_defect_does_not_make_it_normal(judge, verdict):
    found = judge.defective[0]
    views = {f"rgb/{n}.png": saved(Image.fromarray(v), "PNG") for n, v in enumerate(found.rgb)}
    kinds = {}
    for number, (how, (store, _)) in enumerate(STORED.items()):
        slices = {f"ct/s_{n}.tif": store(p, found.normal) for n, p in enumerate(found.ct)}
        kinds[how] = verdict(f"stored {number}", slices | views)
    assert {how: kind for how, kind in kinds.items() if kind not in STORED[how][1]} == {}
