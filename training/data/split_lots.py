"""``trainer split``: labelled lots in, the files of a split out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from inspection.atomic import write_atomic
from inspection.console import system_language
from inspection.errors import ConfigError
from inspection.messages import Message
from inspection.names import told_name
from inspection.records import image_name
from training.data.labelled import LabelledImage, Progress, read_labels, scan_lots
from training.data.split_files import PARTS, Part, SplitRow, write_split
from training.data.splits import Split, deal

LEFT_OUT_NAME = "left_out.txt"
_LOST_IMAGES = (
    "lot_image_duplicate",
    "lot_image_differs",
    "lot_image_format",
    "lot_number_missing",
    "lot_file_special",
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
        path, reason = image.ref.path, image.reason
        unwritable = set(str(path)) & set(_UNWRITABLE) or told_name(str(path)) != str(path)
        if reason is None and unwritable:
            reason = Message(code="image_name_unwritable")
        elif reason is None and path.is_file() and path.stat().st_size == 0:
            reason = Message(code="lot_file_empty", params={"name": path.name})
        if image.name is not None and reason is None:
            kept.append((image, image.name))
        elif reason is not None:
            name = image_name(image.ref, lots.lots[image.owner.lot].root)
            left_out.append((name, reason, image.owner.lot))
    if not kept:
        raise ConfigError("split_no_labels", lots=", ".join(lots.lots))
    # What no battery has: second copies and unknown names.
    left_out += [
        (told_name(finding.path.relative_to(lot.root).as_posix()), finding.reason, name)
        for name, lot in lots.lots.items()
        for finding in lot.findings
        if finding.reason.code.removesuffix("_many") in _LOST_IMAGES
    ]

    classes: dict[str, set[str]] = {}
    for image, name in kept:
        classes.setdefault(image.owner.name, set()).add(name)
    ct, rgb = (
        {item.name for item in lots.batteries if images_of(item.battery)}
        for images_of in (attrgetter("ct"), attrgetter("rgb"))
    )
    # Pairs, those with CT alone, those with RGB alone.
    groups = [
        {name: found for name, found in classes.items() if name in names}
        for names in (ct & rgb, ct - rgb, rgb - ct)
    ]
    dealt = deal(groups, split, seed)
    rows: dict[Part, list[SplitRow]] = {part: [] for part in PARTS}
    for image, name in kept:
        owner = image.owner
        rows[dealt[owner.name]].append(SplitRow(image.ref.source, name, owner.name, owner.lot))
    roots = {name: lot.root for name, lot in lots.lots.items()}
    shares = f"shares {split.train:g} {split.val:g} {split.test:g}, seed {seed}"
    try:
        split_id = write_split(out, roots, rows, [shares])
        language = system_language()
        lines = ["# images in no part of the split", "# path\treason\tlot\tin words"]
        lines += [
            f"{repr(name) if set(name) & set(_UNWRITABLE) else name}\t{reason.code}\t{lot}\t"
            + reason.text(language)
            for name, reason, lot in left_out
        ]
        write_atomic(out / LEFT_OUT_NAME, "\n".join(lines) + "\n")
    except OSError as error:
        problem = error.strerror or str(error)
        raise ConfigError("folder_unwritable", folder=str(out), problem=problem) from error
    return SplitSummary(
        split_id,
        {p: Counter(lab for _, lab in {(r.battery, r.label) for r in rows[p]}) for p in PARTS},
        {part: Counter(row.label for row in rows[part]) for part in PARTS},
        {part: len({row.battery for row in rows[part]}) for part in PARTS},
        {part: sum(dealt[name] == part for name in groups[0]) for part in PARTS},
        Counter(reason.code for _, reason, _ in left_out),
    )
