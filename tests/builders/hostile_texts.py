"""Labels, pair tables, YAML and file names that nobody would write on purpose, or somebody would.

Half of them come from hypothesis' strategies, of values shaped nearly like the right ones; the
rest are extremes that no strategy finds: a number of 5,000 digits, 100,000 defects, lists that
stand for billions. The bytes are then damaged as those of images are.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from builders.hostile_images import damaged
from inspection.lot.labels import class_of, read_label
from inspection.lot.scan import scan_lot
from inspection.messages import Message
from inspection.records import MODALITIES

DRAWN = 64
"""Values that are drawn at one time."""
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp949")
HUGE = "9" * 5000


_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["true", "porosity", "Porosity ", "damaged", "cell", "module", "ct", "-1",
    "0"]),
)  # fmt: skip
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=12,
)
_numbers = st.integers(-50, 5000) | st.floats(-1e6, 1e6)
_points = st.one_of(
    st.lists(_numbers, max_size=12),
    st.lists(st.tuples(_numbers, _numbers), max_size=8),
    st.lists(st.fixed_dictionaries({"x": _numbers, "y": _numbers}), max_size=8),
    st.lists(st.lists(st.tuples(_numbers, _numbers), max_size=4), max_size=3),
    _values,
)
_defect = st.fixed_dictionaries({}, optional={"name": _scalars, "points": _points, "id": _values})
_info = st.fixed_dictionaries(
    {},
    optional={
        "battery_ids": _values, "type": _scalars, "form": _scalars, "data_type": _scalars,
        "roi": st.lists(_numbers, max_size=5) | _values,
    },
)  # fmt: skip
_image = st.fixed_dictionaries(
    {}, optional={"width": _numbers | _values, "height": _numbers | _values, "is_normal": _scalars}
)
LABELS = st.fixed_dictionaries(
    {},
    optional={
        "data_info": _info | _values, "image_info": _image | _values,
        "defects": st.lists(_defect, max_size=4) | _values, "swelling": _values,
    },
) | _values  # fmt: skip
ROWS = st.lists(
    st.lists(
        st.one_of(st.sampled_from(["044", "045", "A", "", "battery_id"]), st.text(max_size=10)),
        max_size=5,
    ),
    max_size=8,
)
VALUES = _values | st.dates() | st.datetimes() | st.binary(max_size=8)
NAMES = st.lists(
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=24
    ),
    min_size=1,
    max_size=8,
)
_STRATEGIES = {"label": LABELS, "table": ROWS, "yaml": VALUES, "lot": NAMES}


def drawn(kind: str, number: int, start: int) -> object:
    """Return the value of a number; the same seed gives the same."""
    chunk = _drawn_chunk(kind, start * 1_000_003 + number // DRAWN)
    return chunk[number % DRAWN % len(chunk)]


@lru_cache(maxsize=8)
def _drawn_chunk(kind: str, chunk_seed: int) -> list[object]:
    found: list[object] = []

    @seed(chunk_seed)
    @settings(
        max_examples=DRAWN, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(_STRATEGIES[kind])
    def collect(value: object) -> None:
        found.append(value)

    collect()
    return found


def hostile_label(rng: Random, value: object) -> tuple[str, bytes]:
    """Return how a label was made, and its bytes."""
    square = [1, 1, 9, 1, 9, 9]
    extremes: dict[str, Callable[[], str]] = {
        "deep": lambda: '{"defects":' + rng.choice('[{"') * rng.choice((40, 5000, 200_000)),
        "deep and whole": lambda: '{"defects":' + "[" * 900 + "]" * 900 + "}",
        "a number of 5,000 digits": lambda: f'{{"image_info":{{"width":{HUGE},"height":1e999}}}}',
        "not finite": lambda: (
            '{"defects":[{"name":"porosity","points":[NaN,Infinity,1,-Infinity]}]}'
        ),
        "100,000 defects": lambda: json.dumps(
            {"defects": [{"name": "x", "points": square}] * 100_000}
        ),
        "1,001 defects": lambda: json.dumps(
            {"defects": [{"name": "porosity", "points": square}] * 1001}
        ),
        "a long polygon": lambda: json.dumps({"defects": [{"points": list(range(300_000))}]}),
        "a key twice": lambda: '{"image_info":{"is_normal":true,"is_normal":false},"defects":[]}',
        "a thousand keys twice": lambda: "{" + '"defects":[],' * 1000 + '"swelling":1}',
        "half a surrogate": lambda: (
            '{"defects":[{"name":"\\ud800\\u202e"}],"data_info":{"roi":"\\udcff"}}'
        ),
        "a long name": lambda: json.dumps(
            {"defects": [{"name": "기" * 500_000, "points": square}]}
        ),
        "spaces": lambda: " " * rng.choice((1, 5_000_000)),
        "many keys": lambda: json.dumps({f"key {n}": n for n in range(20_000)}),
    }
    if rng.random() < 0.35:
        how, make = rng.choice(list(extremes.items()))
        text = make()
    else:
        how, text = "drawn", json.dumps(value, ensure_ascii=rng.random() < 0.5)
    return as_bytes(rng, how, text)


def hostile_table(rng: Random, rows: object) -> tuple[str, bytes]:
    """Return how a pair table was made, and its bytes."""
    head = ["battery_id", "ct_id", "rgb_id"]
    extremes: dict[str, Callable[[], str]] = {
        "a huge field": lambda: ",".join(head) + "\n" + "x" * 200_000 + ",044,045\n",
        "a quote that never ends": lambda: ",".join(head) + '\n"A,044,045\n' + "B,044,045\n" * 2000,
        "many rows": lambda: ",".join(head) + "\n" + "A,044,045\n" * 20_000,
        "a column twice": lambda: "battery_id,ct_id,ct_id,rgb_id\nA,044,044,045\n",
        "NUL": lambda: ",".join(head) + "\nA\0,044,045\n",
        "another separator": lambda: ";".join(head) + "\nA;044;045\n",
        "a formula": lambda: ",".join(head) + "\n=cmd|'/c calc'!A1,044,045\n",
        "paths": lambda: ",".join(head) + "\n../../x,044,045\nCON,045,044\n",
    }
    if rng.random() < 0.3:
        how, make = rng.choice(list(extremes.items()))
        return as_bytes(rng, how, make())
    assert isinstance(rows, list)
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=rng.choice(",,,,;\t"))
    rng.random() < 0.8 and rows.insert(0, head) if rows[:1] != [head] else None
    writer.writerows(rows)
    return as_bytes(rng, "drawn", stream.getvalue())


def as_bytes(
    rng: Random, how: str, text: str, encodings: tuple[str, ...] = ENCODINGS
) -> tuple[str, bytes]:
    """Return a text's bytes in an encoding of some, now and then damaged."""
    encoding = rng.choice(encodings)
    data = text.encode(encoding, errors="surrogatepass" if "utf" in encoding else "replace")
    if rng.random() < 0.2:
        damage, data = damaged(rng, data, text[::-1].encode("utf-8", "replace"))
        how += f", {damage}"
    return f"{how} ({encoding})", data


def hostile_names(rng: Random, names: object) -> dict[str, bytes]:
    """Return a lot's files by their path; some bytes of a name are no UTF-8."""
    assert isinstance(names, list)
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    for name in names:
        stem = rng.choice(
            (name, f"CT_cell_pouch_{rng.randint(0, 99)}_x_{name}", f"s_{name}", f"{name} - Copy")
        )
        if rng.random() < 0.2:
            stem = os.fsdecode("슬라이스".encode("cp949")) + stem
        suffix = rng.choice((".jpg", ".png", ".tif", ".json", "", ".JPG"))
        folder = rng.choice(
            ("", "044/ct/", "044/rgb/", f"{stem[:30]}/ct/", f"{stem[:30]}/rgb/", "ct/", "CT/1/")
        )
        path = folder + _bounded(stem) + suffix
        parts = path.split("/")
        # A name is that of a file or of a folder, whatever its case.
        above = {"/".join(parts[:depth]).casefold() for depth in range(1, len(parts))}
        if any(part in ("", ".", "..") for part in parts) or path.casefold() in folders:
            continue
        if not above & {known.casefold() for known in files}:
            folders |= above
            files[path] = rng.choice((b"x", b"{}", b""))
    return {"044/ct/s_1.jpg": b"x", "044/rgb/v_1.png": b"x", **files}


def _bounded(name: str) -> str:
    """Cut a name to what a file system takes."""
    return os.fsdecode(os.fsencode(name)[:200])


def look_at_label(path: Path) -> None:
    """Read a label, and scan the lot that it lies in; everything said must be sayable.

    Raises
    ------
    InspectionError
        If the label is refused.
    """
    lot = scan_lot(path.parents[2])
    say(finding.reason for finding in lot.findings)
    label = read_label(path)
    say(label.problems)
    for modality in MODALITIES:
        class_of(label, modality)
    for defect in label.defects:
        json.dumps([defect.name, defect.points], allow_nan=False).encode()


def look_at_table(root: Path, table: Path | None) -> None:
    """Scan a lot with a pair table: one that is named, or the lot's own."""
    lot = scan_lot(root, pairs=table)
    say(finding.reason for finding in lot.findings)
    say(warning for battery in lot.batteries for warning in battery.warnings)
    "".join(battery.battery_id for battery in lot.batteries).encode()


def say(messages: Iterable[Message]) -> None:
    """Have every message say itself in both languages, in characters that can be written."""
    for message in messages:
        for language in ("en", "ko"):
            text = message.text_with_hint(language)
            assert text.strip()
            text.encode()
            assert len(text) < 5000, f"{message.code}: {len(text)} characters"
