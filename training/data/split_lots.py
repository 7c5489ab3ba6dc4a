"""``trainer split``: labelled lots in, the files of a split out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection.atomic import write_atomic
from inspection.console import system_language
from inspection.errors import ConfigError
from inspection.messages import Message
from training.data.labelled import LabelledImage, LabelledLots, Progress, read_labels, scan_lots
from training.data.split_files import PARTS, Part, SplitRow, write_split
from training.data.splits import Split, deal

LEFT_OUT_NAME = "left_out.txt"
_LOST_IMAGES = (
    "lot_image_duplicate",
    "lot_image_differs",
    "lot_name_unknown",
    "lot_folder_unreadable",
)
_UNWRITABLE = "\t\r\n"


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """What a split holds.

    Parameters
    ----------
    id : of the split
    batteries, images : how many, by part and class; a battery counts for each of its classes
    bodies : batteries by part
    pairs : those with CT and RGB, by part
    left_out : lines of ``left_out.txt`` by reason
    """

    id: str
    batteries: dict[Part, Counter[str]]
    images: dict[Part, Counter[str]]
    bodies: dict[Part, int]
    pairs: dict[Part, int]
    left_out: Counter[str]


def split_lots(
    folders: Sequence[Path], out: Path, split: Split, seed: int, progress: Progress | None = None
) -> SplitSummary:
    """Deal the batteries of some lots to the parts and write the files.

    Pairs, batteries with CT alone and those with RGB alone are each split in the shares.

    Parameters
    ----------
    folders : the lots
    out : folder for the three files and ``left_out.txt``
    split : the shares
    seed : the same lots and seed give the same files
    progress : called with labels read and in all

    Raises
    ------
    InspectionError
        If a folder is not a lot, no battery has a labelled image, or the disk refuses.
    """
    lots = scan_lots(folders)
    kept: list[tuple[LabelledImage, str]] = []
    left_out: list[tuple[str, Message, str]] = []
    for image in read_labels(lots, progress):
        reason = image.reason or _unfit(image.ref.path)
        if image.name is not None and reason is None:
            kept.append((image, image.name))
        elif reason is not None:
            root = lots.lots[image.owner.lot].root
            name = image.ref.path.relative_to(root).as_posix()
            left_out.append((name, reason, image.owner.lot))
    if not kept:
        raise ConfigError("split_no_labels", lots=", ".join(lots.lots))
    left_out += _lost(lots)

    classes: dict[str, set[str]] = {}
    for image, name in kept:
        classes.setdefault(image.owner.name, set()).add(name)
    groups = _groups(lots, classes)
    dealt = deal(groups, split, seed)
    rows: dict[Part, list[SplitRow]] = {part: [] for part in PARTS}
    for image, name in kept:
        owner = image.owner
        rows[dealt[owner.name]].append(SplitRow(image.ref.path, name, owner.name, owner.lot))
    roots = {name: lot.root for name, lot in lots.lots.items()}
    shares = f"shares {split.train:g} {split.val:g} {split.test:g}, seed {seed}"
    try:
        split_id = write_split(out, roots, rows, [shares])
        _write_left_out(out / LEFT_OUT_NAME, left_out)
    except OSError as error:
        problem = error.strerror or str(error)
        raise ConfigError("folder_unwritable", folder=str(out), problem=problem) from error
    return SplitSummary(
        split_id,
        {part: Counter(label for _, label in _pairs_of(rows[part])) for part in PARTS},
        {part: Counter(row.label for row in rows[part]) for part in PARTS},
        {part: len({row.battery for row in rows[part]}) for part in PARTS},
        {part: sum(dealt[name] == part for name in groups[0]) for part in PARTS},
        Counter(reason.code for _, reason, _ in left_out),
    )


def _pairs_of(rows: Sequence[SplitRow]) -> set[tuple[str, str]]:
    return {(row.battery, row.label) for row in rows}


def _groups(
    lots: LabelledLots, classes: Mapping[str, set[str]]
) -> tuple[dict[str, set[str]], dict[str, set[str]], dict[str, set[str]]]:
    """Return the classes of the labelled batteries: of pairs, with CT alone, with RGB alone."""
    ct = {item.name for item in lots.batteries if item.battery.ct}
    rgb = {item.name for item in lots.batteries if item.battery.rgb}
    return (
        {name: found for name, found in classes.items() if name in ct and name in rgb},
        {name: found for name, found in classes.items() if name in ct - rgb},
        {name: found for name, found in classes.items() if name in rgb - ct},
    )


def _unfit(path: Path) -> Message | None:
    """Return why an image cannot be listed, by its name and size only."""
    if any(character in str(path) for character in _UNWRITABLE):
        return Message(code="image_name_unwritable")
    if path.stat().st_size == 0:
        return Message(code="lot_file_empty", params={"name": path.name})
    return None


def _lost(lots: LabelledLots) -> list[tuple[str, Message, str]]:
    """Return the images that no battery has: second copies and unknown names."""
    return [
        (finding.path.relative_to(lot.root).as_posix(), finding.reason, name)
        for name, lot in lots.lots.items()
        for finding in lot.findings
        if finding.reason.code.removesuffix("_many") in _LOST_IMAGES
    ]


def _write_left_out(path: Path, left_out: Sequence[tuple[str, Message, str]]) -> None:
    language = system_language()
    lines = ["# images in no part of the split", "# path\treason\tlot\tin words"]
    lines += [
        f"{repr(name) if set(name) & set(_UNWRITABLE) else name}\t{reason.code}\t{lot}\t"
        + reason.text(language)
        for name, reason, lot in left_out
    ]
    write_atomic(path, "\n".join(lines) + "\n")
