"""Which CT source and which RGB source are one battery: by number, or by ``pairs.csv``."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter, defaultdict
from collections.abc import Hashable
from pathlib import Path
from typing import NamedTuple

from inspection.errors import LotError
from inspection.lot.filenames import battery_id_of, natural_key
from inspection.lot.findings import Findings
from inspection.lot.groups import ImageGroup
from inspection.messages import Message

PAIRS_NAME = "pairs.csv"
LARGEST_TABLE = 1 << 20
"""Bytes of a pair table: 16,000 pairs, read in a second or two whatever they say."""
LONGEST_ID = 200
_COLUMNS = ("battery_id", "ct_id", "rgb_id")


class Pairing(NamedTuple):
    """The sources of one battery, and what the operator should know about how it came about."""

    battery_id: str
    ct: ImageGroup | None
    rgb: ImageGroup | None
    warnings: tuple[Message, ...] = ()


class PairRow(NamedTuple):
    """A line of a pair table."""

    line: int
    battery_id: str
    ct_id: str
    rgb_id: str


def pair_by_number(sources: list[ImageGroup], findings: Findings) -> list[Pairing]:
    """Pair sources of one layout that share a battery number (or folder).

    Where a number stands for several batteries, such as a cell and a module, nothing tells
    which one the views belong to: each source then is a battery of its own, with a warning.
    """
    sharing: dict[tuple[str, str], list[ImageGroup]] = defaultdict(list)
    for source in sources:
        sharing[source.family, source.pairing_id].append(source)
    # A folder's own name where it is the only one of that name, else its path.
    own_names = Counter(key[1].rpartition("/")[2].casefold() for key in sharing)
    taken: set[str] = set()
    pairings: list[Pairing] = []
    for key, group in sharing.items():
        name = key[1].rpartition("/")[2]
        if own_names[name.casefold()] > 1:
            name = key[1].replace("/", "_")
        name = _free_name(name, taken)
        ct = [source for source in group if source.modality == "ct"]
        rgb = [source for source in group if source.modality == "rgb"]
        if len(ct) <= 1 and len(rgb) <= 1:
            pairings.append(Pairing(name, next(iter(ct), None), next(iter(rgb), None)))
            continue
        ids = ", ".join(source.source_id for source in (*ct, *rgb))
        warning = Message(code="lot_number_ambiguous", params={"number": name, "ids": ids})
        for source in (*ct, *rgb):
            suffix = f"-{source.battery_type or 'other'}"
            if source.modality == "rgb":
                suffix = f"-rgb{suffix}" if len(rgb) > 1 else "-rgb"
            alone = _free_name(f"{name}{suffix}", taken)
            pairings.append(_alone(alone, source, warning, findings))
    return _warned_of_twins(pairings, findings)


def _warned_of_twins(pairings: list[Pairing], findings: Findings) -> list[Pairing]:
    """Warn of folders that read as one number, "1", "01" and "001", or differ in case alone.

    They are different folders, perhaps of one battery: nothing here can tell.
    """
    alike: dict[Hashable, list[Pairing]] = defaultdict(list)
    for pairing in pairings:
        source = pairing.ct or pairing.rgb
        if source is not None and source.family == "folder":
            alike[natural_key(source.pairing_id)].append(pairing)
    warned = {}
    for twins in alike.values():
        for twin in twins if len(twins) > 1 else ():
            source = twin.ct or twin.rgb
            assert source is not None
            others = ", ".join(t.battery_id for t in twins if t is not twin)
            params: dict[str, str | int | float] = {"name": source.source_id, "others": others}
            warning = Message(code="lot_folders_alike", params=params)
            findings.add(source.images[0].folder.path, warning, twin.battery_id)
            warned[twin.battery_id] = twin._replace(warnings=(*twin.warnings, warning))
    return [warned.get(pairing.battery_id, pairing) for pairing in pairings]


def _free_name(name: str, taken: set[str]) -> str:
    """Return a battery id that is not taken yet, and take it."""
    free, count = name, 2
    # File systems of line PCs do not tell B01 from b01, and a result is stored by this name.
    while free.casefold() in taken:
        free, count = f"{name}-{count}", count + 1
    taken.add(free.casefold())
    return free


def _alone(battery_id: str, source: ImageGroup, warning: Message, findings: Findings) -> Pairing:
    findings.add(source.images[0].folder.path, warning, battery_id)
    ct, rgb = (source, None) if source.modality == "ct" else (None, source)
    return Pairing(battery_id, ct, rgb, (warning,))


def pair_by_table(
    sources: list[ImageGroup], rows: list[PairRow], path: Path, findings: Findings
) -> list[Pairing]:
    """Pair as the rows of ``path`` say; sources that none names stay alone.

    A row may leave one id empty. Ids are the sources' own (``CT_module_pouch_044``) or, where
    only one source has it, the number or folder name. A wrong row is a finding.
    """
    ct = _by_alias([source for source in sources if source.modality == "ct"])
    rgb = _by_alias([source for source in sources if source.modality == "rgb"])
    pairings: list[Pairing] = []
    names: set[str] = set()
    used: set[int] = set()
    for row in rows:
        found: list[ImageGroup | None] = []
        for column, wanted, known in (("ct_id", row.ct_id, ct), ("rgb_id", row.rgb_id, rgb)):
            source = known.get(wanted.casefold()) or known.get(battery_id_of(wanted).casefold())
            params: dict[str, str | int | float] = {
                "line": row.line,
                "column": column,
                "id": wanted,
            }
            if wanted and source is None:
                findings.add(path, Message(code="pairs_unknown_id", params=params))
            elif wanted and id(source) in used:
                findings.add(path, Message(code="pairs_duplicate", params=params))
                source = None
            found.append(source if wanted else None)
        battery_id = battery_id_of(row.battery_id)
        if battery_id.casefold() in names:
            params = {"line": row.line, "column": "battery_id", "id": row.battery_id}
            findings.add(path, Message(code="pairs_duplicate", params=params))
        elif any(found):
            names.add(battery_id.casefold())
            used |= {id(source) for source in found if source is not None}
            pairings.append(Pairing(battery_id, found[0], found[1]))
    for source in sources:
        if id(source) not in used:
            name = _free_name(battery_id_of(source.source_id), names)
            warning = Message(code="pairs_not_listed", params={"id": source.source_id})
            pairings.append(_alone(name, source, warning, findings))
    return pairings


def _by_alias(sources: list[ImageGroup]) -> dict[str, ImageGroup]:
    """Return sources by their own id, and by number or folder where only one has it."""
    known: dict[str, ImageGroup] = {}
    # A source's own id goes before a number that reads the same.
    for key in ("pairing_id", "source_id"):
        names = [str(getattr(source, key)).casefold() for source in sources]
        often = Counter(names)
        known |= {
            name: source for name, source in zip(names, sources, strict=True) if often[name] == 1
        }
    return known


def read_rows(path: Path, findings: Findings, *, own: bool) -> list[PairRow] | None:
    """Return the rows of a pair table; a wrong one is a finding.

    Parameters
    ----------
    own : whether it is the lot's own, found in it, and not one that somebody named

    Returns
    -------
    list of PairRow, or None where the lot's own table has not the columns, which is a finding

    Raises
    ------
    LotError
        If the file cannot be read, or is named and has not the columns: who names a table means it.
    """
    text = _read_text(path)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    rows: list[PairRow] = []
    try:
        header = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = header
        if missing := [column for column in _COLUMNS if column not in header]:
            params = {"columns": ", ".join(missing)}
            if not own:
                raise LotError("pairs_columns_lacking", name=path.name, **params)
            findings.add(path, Message(code="pairs_columns_missing", params=params))
            return None
        for record in reader:
            battery_id, ct_id, rgb_id = (str(record[column] or "").strip() for column in _COLUMNS)
            line = {"line": reader.line_num}
            if not battery_id or not (ct_id or rgb_id):
                findings.add(path, Message(code="pairs_row_incomplete", params=line))
            elif max(map(len, (battery_id, ct_id, rgb_id))) > LONGEST_ID:
                findings.add(path, Message(code="pairs_id_long", params=line))
            else:
                rows.append(PairRow(reader.line_num, battery_id, ct_id, rgb_id))
    except csv.Error as error:
        raise LotError("pairs_unreadable", name=path.name, problem=str(error)) from error
    return rows


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise LotError("pairs_too_large", name=path.name, megabytes=LARGEST_TABLE >> 20)
        data = path.read_bytes()
    except OSError as error:
        raise LotError("pairs_unreadable", name=path.name, problem=str(error.strerror)) from error
    try:
        # Excel's "Unicode text" is UTF-16, and begins by saying so.
        marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        # A Korean Excel saves "CSV" in its own code page; its columns are ASCII all the same.
        text = data.decode("cp949", errors="replace")
    if "\0" in text:
        raise LotError("pairs_no_text", name=path.name)
    return text
