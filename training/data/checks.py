"""``trainer check``: leakage between the parts of a split, and labels that contradict."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inspection.lot.folders import part_of
from inspection.messages import Message
from inspection.records import Battery, ImageLabel, Modality
from training.data.duplicates import (
    MOST_CANDIDATES,
    Copy,
    Signature,
    Source,
    compare_images,
    near_pairs,
    same_files,
    sign_images,
)
from training.data.findings import SEVERITIES, Finding, Severity
from training.data.labelled import LabelledImage, LabelledLots, read_labels, scan_lots
from training.data.split_files import PARTS, read_split
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
    source: Source
    label_size: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found."""

    images: int
    batteries: int
    findings: tuple[Finding, ...]

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
    parts = _parts(lots, split)
    findings = list(_lot_findings(lots))
    images: list[_Image] = []
    with progress_bar("labels") as advance:
        for image in read_labels(lots, advance):
            root = lots.lots[image.owner.lot].root
            name = image.ref.path.relative_to(root).as_posix()
            part = parts.get(image.ref.path, "") if split else _published(root, name)
            findings += _label_findings(image, name, part)
            roi, size = (image.label.roi, image.label.size) if image.label else (None, None)
            kept_roi = roi if image.ref.modality == "ct" else None
            source = Source(image.ref.path, image.ref.modality, kept_roi)
            images.append(_Image(name, image.owner.name, part, source, size))
    leak: Severity = "leak" if split else "warning"
    findings += _batteries_in_parts(images, leak)
    if pixels:
        findings += _pixel_findings(images, leak, across_parts=split is not None)
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Checked(len(images), len({item.battery for item in images}), tuple(findings))


def _parts(lots: LabelledLots, split: Path | None) -> dict[Path, str]:
    if split is None:
        return {}
    read = read_split(split, [lot.root for lot in lots.lots.values()], allow_overlap=True)
    return {row.path: part for part in PARTS for row in read.rows(part)}


def _published(root: Path, name: str) -> str:
    return part_of((root.name, *name.split("/")[:-1]))


def _lot_findings(lots: LabelledLots) -> Iterator[Finding]:
    for lot in lots.lots.values():
        for found in lot.findings:
            inside = found.path.is_relative_to(lot.root)
            name = (found.path.relative_to(lot.root) if inside else found.path).as_posix()
            batteries = (found.battery_id,) if found.battery_id else ()
            yield _graded(Finding("warning", found.reason, (), batteries, (name,)))
    for owner in lots.batteries:
        for message in owner.battery.warnings:
            if message.code.startswith("pair_"):
                yield _graded(Finding("warning", message, (), (owner.name,)))


def _label_findings(image: LabelledImage, name: str, part: str) -> Iterator[Finding]:
    def found(message: Message) -> Finding:
        return _graded(Finding("warning", message, (part,), (image.owner.name,), (name,)))

    label = image.label
    if label is None:
        # A missing label is the lot's finding already.
        if image.reason is not None and image.reason.code != "image_without_label":
            yield found(image.reason)
        return
    yield from map(found, label.problems)
    if label.swelling and not label.defects:
        yield found(Message(code="label_swelling_only"))
    if image.reason is not None and image.reason.code == "label_without_class":
        yield found(image.reason)
    yield from map(found, _name_disagreements(image, label, image.owner.battery))


def _name_disagreements(
    image: LabelledImage, label: ImageLabel, battery: Battery
) -> Iterator[Message]:
    """Yield what the label says otherwise than the file name."""
    ref = image.ref
    said: tuple[tuple[str, str | None, str | None], ...] = (
        ("label_type_differs", label.battery_type, ref.battery_type),
        ("label_form_differs", label.form, ref.form),
        ("label_modality_differs", label.modality, ref.modality),
    )
    for code, in_label, in_name in said:
        if in_label and in_name and in_label != in_name:
            yield Message(code=code, params={"label": in_label, "file": in_name})


def _graded(finding: Finding) -> Finding:
    return replace(finding, severity="note") if finding.kind in _NOTES else finding


def _batteries_in_parts(images: Iterable[_Image], leak: Severity) -> Iterator[Finding]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for item in images:
        if item.part:
            found[item.battery].setdefault(item.part, item.name)
    for battery, parts in found.items():
        if len(parts) > 1:
            params = {"battery": battery, "parts": ", ".join(parts)}
            reason = Message(code="battery_in_parts", params=params)
            yield Finding(leak, reason, tuple(parts), (battery,), tuple(parts.values()))


def _pixel_findings(
    images: Sequence[_Image], leak: Severity, *, across_parts: bool
) -> Iterator[Finding]:
    """Yield unreadable images, wrong sizes and copies.

    Parameters
    ----------
    across_parts : compare images of different parts; otherwise of different batteries
    """
    signatures: list[Signature | None] = []
    with progress_bar("images") as advance:
        for item, signed in zip(
            images, sign_images([i.source for i in images], WORKERS, advance), strict=True
        ):
            signature = signed if isinstance(signed, Signature) else None
            signatures.append(signature)
            if not isinstance(signed, Signature):
                yield _of("warning", signed.message, item)
            elif item.label_size is not None and item.label_size != signed.size:
                params = {"label": _size(item.label_size), "image": _size(signed.size)}
                yield _of("warning", Message(code="label_size_differs", params=params), item)
    sides = [item.part if across_parts else item.battery for item in images]
    pairs = _identical_files(images, signatures, sides)
    candidates = _candidates(images, signatures, sides)
    if len(candidates) > MOST_CANDIDATES:
        left = {"count": len(candidates) - MOST_CANDIDATES}
        yield Finding("warning", Message(code="look_alikes_left", params=left))
    pairs |= _copies(images, candidates[:MOST_CANDIDATES])
    for (one, two), copy in sorted(pairs.items()):
        first, second = images[one], images[two]
        differ = sides[one] != sides[two] and sides[one] and sides[two]
        within = first.battery == second.battery
        severity: Severity = leak if differ else "note" if within else "warning"
        code = {"identical": "identical_pixels", "near": "near_duplicate"}[copy]
        params = {"first": Path(first.name).name, "second": Path(second.name).name}
        yield Finding(
            severity,
            Message(code=f"{code}_within" if within and not differ else code, params=params),
            (first.part, second.part),
            (first.battery, second.battery),
            (first.name, second.name),
        )


def _identical_files(
    images: Sequence[_Image], signatures: Sequence[Signature | None], sides: Sequence[str]
) -> dict[tuple[int, int], Copy]:
    """Return each copy with the first file like it, on the other side where there is one."""
    pairs: dict[tuple[int, int], Copy] = {}
    for group in same_files(signatures):
        for place, index in enumerate(group[1:], start=1):
            earlier = group[:place]
            apart = [i for i in earlier if sides[i] != sides[index]]
            strange = [i for i in earlier if images[i].battery != images[index].battery]
            pairs[(apart or strange or earlier)[0], index] = "identical"
    return pairs


def _candidates(
    images: Sequence[_Image], signatures: Sequence[Signature | None], sides: Sequence[str]
) -> list[tuple[int, int]]:
    """Return the images of different sides that look alike and are not the same file."""
    candidates: list[tuple[int, int]] = []
    modalities: tuple[Modality, ...] = ("ct", "rgb")
    numbers = {side: number for number, side in enumerate(_small_first(sides))}
    for modality in modalities:
        chosen = [
            (index, signature)
            for index, signature in enumerate(signatures)
            if signature is not None and sides[index] and images[index].source.modality == modality
        ]
        if not chosen:
            continue
        found = near_pairs(
            np.array([signature.coarse for _, signature in chosen], np.uint64),
            np.stack([signature.fine for _, signature in chosen]),
            np.array([numbers[sides[index]] for index, _ in chosen], np.int64),
        )
        for one, two in found:
            if chosen[one][1].digest != chosen[two][1].digest:
                first, second = sorted((chosen[one][0], chosen[two][0]))
                candidates.append((first, second))
    return candidates


def _copies(
    images: Sequence[_Image], candidates: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Copy]:
    """Return those candidates whose pixels say that one is a copy."""
    sources = [(images[one].source, images[two].source) for one, two in candidates]
    with progress_bar("copies") as advance:
        results = list(compare_images(sources, WORKERS, advance))
    return {pair: copy for pair, copy in zip(candidates, results, strict=True) if copy is not None}


def _small_first(sides: Sequence[str]) -> list[str]:
    """Return the sides with the largest last: it then is compared to the others only."""
    counts: dict[str, int] = defaultdict(int)
    for side in sides:
        counts[side] += 1
    return sorted(counts, key=lambda side: (counts[side], side))


def _of(severity: Severity, reason: Message, item: _Image) -> Finding:
    return Finding(severity, reason, (item.part,), (item.battery,), (item.name,))


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
