"""Which CT source and which RGB source are one battery: by number, or by ``pairs.csv``."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from inspection.errors import LotError
from inspection.lot.filenames import battery_id_of
from inspection.lot.findings import Findings
from inspection.lot.groups import Source
from inspection.messages import Message

PAIRS_NAME = "pairs.csv"
_COLUMNS = ("battery_id", "ct_id", "rgb_id")


class Pairing(NamedTuple):
    """The sources of one battery, and what the operator should know about how it came about."""

    battery_id: str
    ct: Source | None
    rgb: Source | None
    warnings: tuple[Message, ...] = ()


class _Row(NamedTuple):
    line: int
    battery_id: str
    ct_id: str
    rgb_id: str


def pair_by_number(sources: list[Source], findings: Findings) -> list[Pairing]:
    """Pair sources of one layout that share a battery number (or folder).

    Where a number stands for several batteries, such as a cell and a module, nothing tells
    which one the views belong to: each source then is a battery of its own, with a warning.
    """
    sharing: dict[tuple[str, str], list[Source]] = defaultdict(list)
    for source in sources:
        sharing[source.family, source.pairing_id].append(source)
    names = _battery_names(list(sharing))
    pairings: list[Pairing] = []
    for key, group in sharing.items():
        name = names[key]
        ct = [source for source in group if source.modality == "ct"]
        rgb = [source for source in group if source.modality == "rgb"]
        if len(ct) <= 1 and len(rgb) <= 1:
            pairings.append(Pairing(name, next(iter(ct), None), next(iter(rgb), None)))
        else:
            pairings += _split_ambiguous(name, ct, rgb, findings)
    return pairings


def _battery_names(keys: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return a battery id for every (family, pairing id), no two alike.

    A folder's own name where it is the only one of that name, else its path.
    """
    short = {key: key[1].rsplit("/", 1)[-1] for key in keys}
    often = Counter(name.casefold() for name in short.values())
    names: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for key in keys:
        name = short[key]
        if often[name.casefold()] > 1:
            name = key[1].replace("/", "_")
        candidate, count = name, 2
        # File systems of line PCs do not tell B01 from b01, and a result is stored by this name.
        while candidate.casefold() in taken:
            candidate, count = f"{name}-{count}", count + 1
        taken.add(candidate.casefold())
        names[key] = candidate
    return names


def _split_ambiguous(
    name: str, ct: list[Source], rgb: list[Source], findings: Findings
) -> list[Pairing]:
    ids = ", ".join(source.source_id for source in (*ct, *rgb))
    warning = Message(code="lot_number_ambiguous", params={"number": name, "ids": ids})
    pairings = [
        Pairing(f"{name}-{source.battery_type or 'other'}", source, None, (warning,))
        for source in ct
    ]
    for source in rgb:
        suffix = f"-{source.battery_type or 'other'}" if len(rgb) > 1 else ""
        pairings.append(Pairing(f"{name}-rgb{suffix}", None, source, (warning,)))
    for pairing, source in zip(pairings, (*ct, *rgb), strict=True):
        folder = source.images[0].folder.path
        findings.add(folder, warning, pairing.battery_id)
    return pairings


def pair_by_table(sources: list[Source], path: Path, findings: Findings) -> list[Pairing] | None:
    """Pair as ``pairs.csv`` says; sources it does not name stay alone.

    A row may leave one id empty. Ids are the sources' own (``CT_module_pouch_044``) or, where
    only one source has it, the number or folder name. A wrong row is a finding.

    Returns
    -------
    list of Pairing, or None where the table as a whole is of no use

    Raises
    ------
    LotError
        If the file cannot be read.
    """
    rows = _read_rows(path, findings)
    if rows is None:
        return None
    ct = _by_alias([source for source in sources if source.modality == "ct"])
    rgb = _by_alias([source for source in sources if source.modality == "rgb"])
    pairings: list[Pairing] = []
    names: set[str] = set()
    used: set[int] = set()
    for row in rows:
        found_ct = _find(row.ct_id, "ct_id", row, ct, used, path, findings)
        found_rgb = _find(row.rgb_id, "rgb_id", row, rgb, used, path, findings)
        battery_id = battery_id_of(row.battery_id)
        if battery_id.casefold() in names:
            params = {"line": row.line, "column": "battery_id", "id": row.battery_id}
            findings.add(path, Message(code="pairs_duplicate", params=params))
        elif found_ct is not None or found_rgb is not None:
            names.add(battery_id.casefold())
            used |= {id(source) for source in (found_ct, found_rgb) if source is not None}
            pairings.append(Pairing(battery_id, found_ct, found_rgb))
    return pairings + _unlisted([s for s in sources if id(s) not in used], names, findings)


def _unlisted(sources: list[Source], names: set[str], findings: Findings) -> list[Pairing]:
    pairings: list[Pairing] = []
    for source in sources:
        name = base = battery_id_of(source.source_id)
        count = 2
        while name.casefold() in names:
            name, count = f"{base}-{count}", count + 1
        names.add(name.casefold())
        warning = Message(code="pairs_not_listed", params={"id": source.source_id})
        findings.add(source.images[0].folder.path, warning, name)
        ct, rgb = (source, None) if source.modality == "ct" else (None, source)
        pairings.append(Pairing(name, ct, rgb, (warning,)))
    return pairings


def _find(
    wanted: str,
    column: str,
    row: _Row,
    known: dict[str, Source],
    used: set[int],
    path: Path,
    findings: Findings,
) -> Source | None:
    if not wanted:
        return None
    params = {"line": row.line, "column": column, "id": wanted}
    source = known.get(wanted.casefold()) or known.get(battery_id_of(wanted).casefold())
    if source is None:
        findings.add(path, Message(code="pairs_unknown_id", params=params))
    elif id(source) in used:
        findings.add(path, Message(code="pairs_duplicate", params=params))
        return None
    return source


def _by_alias(sources: list[Source]) -> dict[str, Source]:
    """Return sources by their own id, and by number or folder where only one has it."""
    pairing_ids = Counter(source.pairing_id.casefold() for source in sources)
    source_ids = Counter(source.source_id.casefold() for source in sources)
    known: dict[str, Source] = {}
    for source in sources:
        if pairing_ids[source.pairing_id.casefold()] == 1:
            known[source.pairing_id.casefold()] = source
    for source in sources:
        if source_ids[source.source_id.casefold()] == 1:
            known[source.source_id.casefold()] = source
    return known


def _read_rows(path: Path, findings: Findings) -> list[_Row] | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LotError("pairs_unreadable", name=path.name, problem=str(error.strerror)) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # A Korean Excel saves "CSV" in its own code page; its columns are ASCII all the same.
        text = data.decode("cp949", errors="replace")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    header = [(name or "").strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        params = {"columns": ", ".join(missing)}
        findings.add(path, Message(code="pairs_columns_missing", params=params))
        return None
    rows: list[_Row] = []
    try:
        for record in reader:
            battery_id, ct_id, rgb_id = (str(record[column] or "").strip() for column in _COLUMNS)
            if not battery_id or not (ct_id or rgb_id):
                line = {"line": reader.line_num}
                findings.add(path, Message(code="pairs_row_incomplete", params=line))
            else:
                rows.append(_Row(reader.line_num, battery_id, ct_id, rgb_id))
    except csv.Error as error:
        raise LotError("pairs_unreadable", name=path.name, problem=str(error)) from error
    return rows
