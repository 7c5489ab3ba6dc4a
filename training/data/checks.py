"""``trainer check``: leakage between the parts of a split, and labels that contradict."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspection.lot.folders import part_of
from inspection.messages import Message
from inspection.names import told_name
from inspection.records import MODALITIES, ImageSource, image_name
from training.data.duplicates import (
    MOST_CANDIDATES,
    Compared,
    Copy,
    Fingerprint,
    compare,
    near_pairs,
    sign,
)
from training.data.findings import SEVERITIES, CheckFinding, Severity
from training.data.labelled import LabelledImage, read_labels, scan_lots
from training.data.prefetch import prefetch
from training.data.split_files import PARTS, read_split
from training.data.stack_windows import DeepStack
from training.progress import progress_bar

# Mended on reading, or true and merely worth knowing.
_NOTES = frozenset(
    {
        "label_polygon_odd",
        "label_polygon_clipped",
        "label_swelling_only",
        "pair_pouch_cylindrical",
        "pair_cylindrical_pouch",
        "battery_without_rgb",
        "battery_without_ct",
    }
)
WORKERS = max(1, min(8, os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class _Image:
    """What is kept of an image once its label is read.

    Parameters
    ----------
    name : path below its lot's folder
    part : of the split, or the published folder without one; empty for none
    """

    name: str
    battery: str
    part: str
    source: Compared
    label_size: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found.

    Parameters
    ----------
    images, labelled : how many there are, and how many of them have a label
    """

    images: int
    labelled: int
    batteries: int
    findings: tuple[CheckFinding, ...]

    @property
    def leaks(self) -> bool:
        """True where a part of the split knows something of another."""
        return any(finding.severity == "leak" for finding in self.findings)


def check_lots(folders: Sequence[Path], split: Path | None = None, *, pixels: bool) -> Checked:
    """Check lots, and a split of them.

    Parameters
    ----------
    folders : the lots
    split : folder of the split; without it the published Training and Validation folders are
        looked at, which share batteries, so nothing counts as a leak
    pixels : decode every image to find copies and pictures that cannot be read

    Raises
    ------
    InspectionError
        If a folder is not a lot, or the split cannot be read.
    """
    lots = scan_lots(folders)
    roots = {name: lot.root for name, lot in lots.lots.items()}
    parts: dict[ImageSource, str] = {}
    if split is not None:
        read = read_split(split, list(roots.values()), allow_overlap=True)
        parts = {row.source: part for part in PARTS for row in read.rows(part)}
    findings: list[CheckFinding] = []
    for lot in lots.lots.values():
        for found in lot.findings:
            inside = found.path.is_relative_to(lot.root)
            path = found.path.relative_to(lot.root) if inside else found.path
            name = told_name(path.as_posix())
            batteries = (found.battery_id,) if found.battery_id else ()
            findings.append(_graded(found.reason, (), batteries, (name,)))
    for owner in lots.batteries:
        told = [m for m in owner.battery.warnings if m.code.startswith("pair_")]
        findings += [_graded(message, (), (owner.name,)) for message in told]

    images: list[_Image] = []
    labelled = 0
    stacks: dict[tuple[str, str], DeepStack] = {}
    with progress_bar("labels") as advance:
        for image in read_labels(lots, advance):
            root, label = roots[image.owner.lot], image.label
            labelled += image.ref.label_path is not None
            name = image_name(image.ref, root)
            published = part_of((root.name, *name.split("/")[:-1]))
            part = published if split is None else parts.get(image.ref.source, "")
            findings += [
                _graded(message, (part,), (image.owner.name,), (name,))
                for message in _label_problems(image)
            ]
            roi = label.roi if label and image.ref.modality == "ct" else None
            stack = None
            if image.ref.modality == "ct":
                owner_key = image.owner.lot, image.owner.battery.battery_id
                stack = stacks.setdefault(owner_key, DeepStack(image.owner.battery.ct))
            source = Compared(image.ref.source, image.ref.modality, roi, stack)
            size = label.size if label else None
            images.append(_Image(name, image.owner.name, part, source, size))

    leak: Severity = "leak" if split else "warning"
    in_parts: dict[str, dict[str, str]] = defaultdict(dict)
    for item in images:
        if item.part:
            in_parts[item.battery].setdefault(item.part, item.name)
    for battery, where in in_parts.items():
        if len(where) > 1:
            params = {"battery": battery, "parts": ", ".join(where)}
            reason = Message(code="battery_in_parts", params=params)
            findings.append(
                CheckFinding(leak, reason, tuple(where), (battery,), tuple(where.values()))
            )
    if pixels:
        findings += _pixel_findings(images, leak, across_parts=split is not None)
    # A stable sort: within a severity they stay in the order of the lots.
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Checked(len(images), labelled, len({item.battery for item in images}), tuple(findings))


def _graded(
    reason: Message,
    parts: tuple[str, ...],
    batteries: tuple[str, ...],
    images: tuple[str, ...] = (),
) -> CheckFinding:
    """Return a finding that is a note where it says what was mended, else a warning."""
    found = CheckFinding("warning", reason, parts, batteries, images)
    return CheckFinding("note", reason, parts, batteries, images) if found.kind in _NOTES else found


def _label_problems(image: LabelledImage) -> Iterator[Message]:
    """Yield what is odd about a label, in itself and beside the file's name."""
    label, ref, reason = image.label, image.ref, image.reason
    if label is None:
        # A missing label is the lot's finding already.
        if reason is not None and reason.code != "image_without_label":
            yield reason
        return
    yield from label.problems
    if label.swelling and not label.defects:
        yield Message(code="label_swelling_only")
    if reason is not None and reason.code == "label_without_class":
        yield reason
    said: tuple[tuple[str, str | None, str | None], ...] = (
        ("label_type_differs", label.battery_type, ref.battery_type),
        ("label_form_differs", label.form, ref.form),
        ("label_modality_differs", label.modality, ref.modality),
    )
    for code, in_label, in_name in said:
        if in_label and in_name and in_label != in_name:
            yield Message(code=code, params={"label": in_label, "file": in_name})


def _pixel_findings(
    images: Sequence[_Image], leak: Severity, *, across_parts: bool
) -> Iterator[CheckFinding]:
    """Yield unreadable images, wrong sizes and copies.

    Parameters
    ----------
    across_parts : compare images of different parts; otherwise of different batteries
    """
    signatures: list[Fingerprint | None] = []
    with progress_bar("images") as advance:
        signing = prefetch(sign, (item.source for item in images), WORKERS)
        for done, (item, signed) in enumerate(zip(images, signing, strict=True), start=1):
            advance(done, len(images))
            signatures.append(signed if isinstance(signed, Fingerprint) else None)
            if not isinstance(signed, Fingerprint):
                reason = signed.message
            elif item.label_size is not None and item.label_size != signed.size:
                sizes = {"label": item.label_size, "image": signed.size}
                params = {key: f"{size[0]}x{size[1]}" for key, size in sizes.items()}
                reason = Message(code="label_size_differs", params=params)
            else:
                continue
            yield CheckFinding("warning", reason, (item.part,), (item.battery,), (item.name,))

    sides = [item.part if across_parts else item.battery for item in images]
    pairs: dict[tuple[int, int], Copy] = {}
    same_file: dict[bytes, list[int]] = defaultdict(list)
    for index, signature in enumerate(signatures):
        if signature is None:
            continue
        # Each copy with the first file like it, on the other side where there is one.
        earlier = same_file[signature.digest]
        apart = [i for i in earlier if sides[i] != sides[index]]
        strange = [i for i in earlier if images[i].battery != images[index].battery]
        for like in (apart or strange or earlier)[:1]:
            pairs[like, index] = "identical"
        earlier.append(index)
    candidates = _look_alikes(images, signatures, sides)
    if len(candidates) > MOST_CANDIDATES:
        left = {"count": len(candidates) - MOST_CANDIDATES}
        yield CheckFinding("warning", Message(code="look_alikes_left", params=left))
        candidates = candidates[:MOST_CANDIDATES]
    with progress_bar("copies") as advance:
        sources = ((images[one].source, images[two].source) for one, two in candidates)
        compared = zip(candidates, prefetch(compare, sources, WORKERS), strict=True)
        for done, (pair, copy) in enumerate(compared, start=1):
            advance(done, len(candidates))
            if copy is not None:
                pairs[pair] = copy

    for (one, two), copy in sorted(pairs.items()):
        first, second = images[one], images[two]
        # An image in no part is on no side, and leaks to none.
        differ = sides[one] != sides[two] and sides[one] and sides[two]
        within = first.battery == second.battery
        severity: Severity = leak if differ else "note" if within else "warning"
        code = {"identical": "identical_pixels", "near": "near_duplicate"}[copy]
        params = {"first": Path(first.name).name, "second": Path(second.name).name}
        yield CheckFinding(
            severity,
            Message(code=f"{code}_within" if within and not differ else code, params=params),
            (first.part, second.part),
            (first.battery, second.battery),
            (first.name, second.name),
        )


def _look_alikes(
    images: Sequence[_Image], signatures: Sequence[Fingerprint | None], sides: Sequence[str]
) -> list[tuple[int, int]]:
    """Return the images of different sides that look alike and are not the same file."""
    found: list[tuple[int, int]] = []
    # The largest side comes last: it then is compared to the others only.
    counts = Counter(sides)
    small_first = sorted(counts, key=lambda side: (counts[side], side))
    numbers = {side: number for number, side in enumerate(small_first)}
    for modality in MODALITIES:
        chosen = [
            (index, signature)
            for index, signature in enumerate(signatures)
            if signature is not None and sides[index] and images[index].source.modality == modality
        ]
        if not chosen:
            continue
        for one, two in near_pairs(
            np.array([signature.coarse for _, signature in chosen], np.uint64),
            np.stack([signature.fine for _, signature in chosen]),
            np.array([numbers[sides[index]] for index, _ in chosen], np.int64),
        ):
            if chosen[one][1].digest != chosen[two][1].digest:
                first, second = sorted((chosen[one][0], chosen[two][0]))
                found.append((first, second))
    return found
