"""The files of a split: ``train.txt``, ``val.txt``, ``test.txt``, an image a line.

UTF-8 text. The head is comments, some of which the reader needs, and ends with the columns::

    # battery split 1
    # id 6f0c…                     the same in the three files of one split
    # lot lot-a<TAB>/data/lot-a    a name for every lot folder
    # path<TAB>label<TAB>battery<TAB>lot

``path`` is below the lot's folder, with ``/``; a volume's plane is ``001/ct/volume.tif#z0123``.
``label`` is one of the classes of CT or, for an RGB view, ``normal`` or a class of external
defects, such as ``pollution``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from inspection.atomic import write_atomic
from inspection.classes import class_table
from inspection.errors import ConfigError
from inspection.records import (
    ImageSource,
    Modality,
    Section,
    named_source,
    plane_suffix,
    source_name,
    source_path,
)

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
FORMAT_LINE = "# battery split 1"
_ID, _LOT, _COLUMNS = "# id ", "# lot ", "# path\tlabel\tbattery\tlot"


class SplitRow(NamedTuple):
    """An image of a part.

    Parameters
    ----------
    source : the image, below the lot folder that was asked for
    label : one of the table's classes of CT, or of a view ``normal`` or a class of external defects
    battery : what is never in two parts; unique over all lots of the split
    lot : name of its lot, a key of ``SplitFiles.lots``
    """

    source: ImageSource
    label: str
    battery: str
    lot: str

    @property
    def modality(self) -> Modality:
        """``ct`` or ``rgb``, as the label says: the two have no label in common."""
        return "ct" if self.label in class_table().ct else "rgb"


@dataclass(frozen=True, slots=True)
class SplitFiles:
    """A split that was read and checked: every image is there, no battery in two parts.

    Parameters
    ----------
    folder : where its files are
    id : digest of all rows as they are now; worth recording with a model
    lots : folder of each lot, by name
    parts : rows by part, in the order of the files
    """

    folder: Path
    id: str
    lots: Mapping[str, Path]
    parts: Mapping[Part, tuple[SplitRow, ...]]

    def rows(self, part: Part, modality: Modality | None = None) -> tuple[SplitRow, ...]:
        """Return the images of a part, of one modality or both; empty where it has none."""
        rows = self.parts[part]
        return rows if modality is None else tuple(r for r in rows if r.modality == modality)

    def sources(self, part: Part, modality: Modality | None = None) -> frozenset[ImageSource]:
        """Return the images of a part, as ``scan_lot`` refers to them for the folders in `lots`."""
        return frozenset(row.source for row in self.rows(part, modality))


def read_split(
    folder: Path, lots: Sequence[Path] = (), *, allow_overlap: bool = False
) -> SplitFiles:
    """Read the three files of a split.

    Parameters
    ----------
    folder : what ``trainer split`` wrote
    lots : where the lots are now, known by folder name (a single one by being the only one);
        by default where they were when the split was made
    allow_overlap : also read a split that is of no use, to tell what is wrong with it

    Raises
    ------
    ConfigError
        If a file is missing, malformed (with the line) or of another split, a lot or an image is
        gone, or a battery or an image is in two parts.
    """
    read = {part: _read_file(folder / f"{part}.txt") for part in PARTS}
    first = read["train"]
    for part in PARTS:
        if (read[part].id, read[part].lots) != (first.id, first.lots):
            raise ConfigError("split_mixed", folder=str(folder), file=f"{part}.txt")
    roots = _roots(first.lots, lots, folder)
    parts: dict[Part, tuple[SplitRow, ...]] = {}
    there: set[Path] = set()
    for part in PARTS:
        rows = [
            SplitRow(named_source(roots[row.lot], row.path), row.label, row.battery, row.lot)
            for row in read[part].rows
        ]
        for line, row in zip(read[part].lines, rows, strict=True):
            path = source_path(row.source)
            # A series is known by its folder; a volume is looked for once, not for every plane.
            is_plane = isinstance(row.source, Section)
            if path in there or path.is_file() or (is_plane and path.is_dir()):
                there.add(path)
                continue
            raise ConfigError("split_image_gone", file=f"{part}.txt", line=line, path=str(path))
        parts[part] = tuple(rows)
    batteries: dict[str, Part] = {}
    images: dict[ImageSource, Part] = {}
    for part in PARTS if not allow_overlap else ():
        for row in parts[part]:
            other = batteries.setdefault(row.battery, part)
            if other != part:
                raise ConfigError(
                    "split_battery_twice", battery=row.battery, first=other, second=part
                )
            if row.source in images:
                name, before = source_name(row.source), images[row.source]
                raise ConfigError("split_image_twice", image=name, first=before, second=part)
            images[row.source] = part
    # Of the rows as they are, not as the head says: a split changed by hand is another one.
    digest = _digest({part: "".join(map(_line, read[part].rows)) for part in PARTS})
    return SplitFiles(folder, digest, roots, parts)


def write_split(
    folder: Path,
    lots: Mapping[str, Path],
    parts: Mapping[Part, Iterable[SplitRow]],
    comments: Sequence[str] = (),
) -> str:
    """Write the three files and return the split's id.

    Parameters
    ----------
    folder : made where missing; older files of a split there are replaced
    lots : folder of each lot, by name
    parts : rows of each part, their paths below the lots' folders
    comments : lines for the head of every file, without the ``#``
    """
    bodies: dict[Part, str] = {}
    counts: dict[Part, str] = {}
    for part in PARTS:
        rows = [_StoredRow(_name_below(lots[row.lot], row.source), *row[1:]) for row in parts[part]]
        # The same split gives the same bytes, in whatever order the disk lists a lot.
        rows.sort(key=lambda row: (row.lot, row.path))
        bodies[part] = "".join(map(_line, rows))
        counts[part] = f"{part}: {len(rows)} images of {len({r.battery for r in rows})} batteries"
    digest = _digest(bodies)
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        head = [FORMAT_LINE, f"{_ID}{digest}"]
        head += [f"{_LOT}{name}\t{root.resolve()}" for name, root in lots.items()]
        head += [*(f"# {line}" for line in (*comments, counts[part])), _COLUMNS]
        write_atomic(folder / f"{part}.txt", "\n".join(head) + "\n" + bodies[part])
    return digest


def _name_below(root: Path, source: ImageSource) -> str:
    name = source_path(source).relative_to(root).as_posix()
    return name + plane_suffix(source) if isinstance(source, Section) else name


class _StoredRow(NamedTuple):
    path: str
    label: str
    battery: str
    lot: str


class _StoredFile(NamedTuple):
    id: str
    lots: dict[str, str]
    rows: list[_StoredRow]
    lines: list[int]


def _read_file(path: Path) -> _StoredFile:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError("split_missing", file=path.name, folder=str(path.parent)) from error
    except OSError as error:
        problem = error.strerror or str(error)
        raise ConfigError("split_not_opened", file=str(path), problem=problem) from error
    except UnicodeDecodeError as error:
        # Some other file that lies in the way, an image perhaps.
        raise ConfigError("split_no_split", file=str(path)) from error
    # Not splitlines(): a file name may hold any other kind of line break.
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0] != FORMAT_LINE or _COLUMNS not in lines:
        raise ConfigError("split_no_split", file=str(path))
    head = lines.index(_COLUMNS) + 1
    written_id = next((line.removeprefix(_ID) for line in lines[:head] if line.startswith(_ID)), "")
    named = [line.removeprefix(_LOT) for line in lines[:head] if line.startswith(_LOT)]
    lots = {name: root for name, _, root in (line.partition("\t") for line in named)}
    stored = _StoredFile(written_id, lots, [], [])
    for number, line in enumerate(lines[head:], start=head + 1):
        if not line:
            continue
        place: dict[str, str | int] = {"file": path.name, "line": number}
        fields = line.split("\t")
        if len(fields) != len(_StoredRow._fields):
            problem = f"{len(fields)} / {len(_StoredRow._fields)}"
            raise ConfigError("split_line_columns", **place, columns=problem)
        row = _StoredRow(*fields)
        if row.label not in class_table().ct and row.label not in (
            "normal",
            *class_table().rgb_defects,
        ):
            raise ConfigError("split_line_label", **place, label=row.label)
        if row.lot not in lots:
            raise ConfigError("split_line_lot", **place, lot=row.lot)
        stored.rows.append(row)
        stored.lines.append(number)
    return stored


def _line(row: _StoredRow) -> str:
    return "\t".join(row) + "\n"


def _digest(bodies: Mapping[Part, str]) -> str:
    text = "\0".join(f"{part}\n{bodies[part]}" for part in PARTS)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _roots(stored: Mapping[str, str], given: Sequence[Path], folder: Path) -> dict[str, Path]:
    """Return where each lot is: recorded and given, else given under its name, else recorded."""
    # Each folder is one lot only, however many have its name.
    left = list(given)
    roots: dict[str, Path] = {}
    # Those that are where they were come first: two lots may have folders of one name.
    for exactly in (True, False):
        for name, recorded in stored.items():
            if name in roots:
                continue
            fits = [
                root
                for root in left
                if root.resolve() == Path(recorded)
                or (not exactly and root.resolve().name == Path(recorded).name)
            ]
            if not exactly and len(given) == len(stored) == 1:
                fits = left
            if fits:
                roots[name] = fits[0]
                left.remove(fits[0])
    for name, recorded in stored.items():
        root = roots.get(name)
        if root is None and not given:
            root = roots[name] = Path(recorded)
        if root is None or not root.is_dir():
            raise ConfigError(
                "split_lot_gone", folder=str(folder), lot=name, path=str(root or recorded)
            )
    return {name: roots[name] for name in stored}
