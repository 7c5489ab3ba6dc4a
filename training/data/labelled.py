"""Lots as one set of labelled images: whose body each image shows, and its class if it has one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from inspection.errors import InspectionError, LabelError, LotError
from inspection.images.body_planes import with_body
from inspection.lot.filenames import source_at_start
from inspection.lot.folders import PART_NAME
from inspection.lot.labels import class_of, read_label
from inspection.lot.scan import scan_lot
from inspection.messages import Message
from inspection.records import MODALITIES, Battery, ImageLabel, ImageRef, Lot, Modality

READERS = 4
"""Threads that read label files; more only wait for each other."""
_CHUNK = 512
# The problems that leave a label without a class, most telling first.
_TELLING = (
    "label_normal_with_defects",
    "label_defective_without_defects",
    "label_defect_unknown",
    "label_is_normal_missing",
    "label_defects_invalid",
)

Progress = Callable[[int, int], None]
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class LotBattery:
    """A battery as one lot shows it.

    Parameters
    ----------
    name : of the body, ``lot/battery``; two lots that are the published Training and Validation
        folders of one set show bodies of the same name
    lot : name of the lot
    battery : its images
    """

    name: str
    lot: str
    battery: Battery


@dataclass(frozen=True, slots=True)
class LabelledLots:
    """Scanned lots.

    Parameters
    ----------
    lots : by name
    batteries : of all lots, in the order of the lots
    """

    lots: dict[str, Lot]
    batteries: tuple[LotBattery, ...]


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image with what its label says.

    Parameters
    ----------
    owner : its battery
    ref : the image
    label : None where there is none, or it cannot be read
    name : its class: one of the table's, or ``normal`` of a view
    reason : why there is no class
    """

    owner: LotBattery
    ref: ImageRef
    label: ImageLabel | None
    name: str | None
    reason: Message | None


def scan_lots(folders: Sequence[Path]) -> LabelledLots:
    """Scan lots and tell which of their batteries are the same body.

    Of volumes the planes that the station judges: none that show air beside the body.

    Raises
    ------
    LotError
        If a folder is not a lot, or is another one or within it.
    """
    roots = [folder.resolve() for folder in folders]
    # The same image twice would be trained on in one part and validated on in the other.
    for index, root in enumerate(roots):
        for other in roots[:index]:
            if root.is_relative_to(other) or other.is_relative_to(root):
                raise LotError("lots_overlap", first=str(other), second=str(root))
    names = _unique_names(roots)
    # The published parts share batteries: their numbers are those of one set.
    sets = [root.parent if PART_NAME.fullmatch(root.name) else root for root in roots]
    distinct = list(dict.fromkeys(sets))
    set_names = dict(zip(distinct, _unique_names(distinct), strict=True))
    lots = {name: scan_lot(root) for name, root in zip(names, roots, strict=True)}
    found = [
        (name, set_names[owner], battery)
        for (name, lot), owner in zip(lots.items(), sets, strict=True)
        for battery in map(with_body, lot.batteries)
    ]
    bodies = _Bodies()
    for _, owner, battery in found:
        bodies.join(_source_keys(owner, battery))
    batteries = tuple(
        LotBattery(bodies.name(_source_keys(owner, battery)[0], owner, battery), name, battery)
        for name, owner, battery in found
    )
    return LabelledLots(lots, batteries)


def read_labels(
    lots: LabelledLots,
    progress: Progress | None = None,
    modalities: Sequence[Modality] = MODALITIES,
) -> Iterator[LabelledImage]:
    """Yield every image of the batteries in order, with its label read.

    Parameters
    ----------
    lots : what to read
    progress : called with images done and in all
    modalities : of the images
    """
    images = [
        (owner, ref)
        for owner in lots.batteries
        for ref in (*owner.battery.ct, *owner.battery.rgb)
        if ref.modality in modalities
    ]
    with ThreadPoolExecutor(READERS) as pool:
        for start in range(0, len(images), _CHUNK):
            yield from pool.map(_labelled, images[start : start + _CHUNK])
            if progress is not None:
                progress(min(start + _CHUNK, len(images)), len(images))


def read_classes(lots: Sequence[Path], modality: Modality) -> Iterator[LabelledImage]:
    """Yield the images of a modality that have a class, in a fixed order.

    Images without a label, and those whose label contradicts itself, are left out: their class is
    not known.

    Raises
    ------
    LotError
        If a folder is not a lot, or is within another one.
    LabelError
        If a label cannot be read.
    """
    for image in read_labels(scan_lots(lots), modalities=(modality,)):
        if image.label is None and image.ref.label_path is not None and image.reason is not None:
            raise LabelError(image.reason.code, **image.reason.params)
        if image.name is not None:
            yield image


def _labelled(image: tuple[LotBattery, ImageRef]) -> LabelledImage:
    owner, ref = image
    if ref.label_path is None:
        return LabelledImage(owner, ref, None, None, Message(code="image_without_label"))
    try:
        label = read_label(ref.label_path)
    except InspectionError as error:
        return LabelledImage(owner, ref, None, None, error.message)
    name = class_of(label, ref.modality)
    if name is not None:
        return LabelledImage(owner, ref, label, name, None)
    by_code = {problem.code: problem for problem in label.problems}
    telling = [by_code[code] for code in _TELLING if code in by_code]
    reason = next(iter([*telling, *label.problems]), Message(code="label_without_class"))
    return LabelledImage(owner, ref, label, None, reason)


class _Bodies:
    """Which sources are one body: those that any lot pairs, and so on from pair to pair."""

    def __init__(self) -> None:
        self._parents: dict[Key, Key] = {}
        self._names: dict[Key, str] = {}
        self._taken: set[str] = set()

    def join(self, keys: Sequence[Key]) -> None:
        """Note that some sources are one body."""
        for key in keys:
            self._parents.setdefault(key, key)
        for key in keys[1:]:
            self._parents[self._root(key)] = self._root(keys[0])

    def name(self, key: Key, owner: str, battery: Battery) -> str:
        """Return the name of a source's body, after the first battery that asks for it."""
        root = self._root(key)
        if root not in self._names:
            name = base = f"{owner}/{battery.battery_id}"
            count = 2
            while name in self._taken:
                name, count = f"{base}-{count}", count + 1
            self._taken.add(name)
            self._names[root] = name
        return self._names[root]

    def _root(self, key: Key) -> Key:
        while self._parents[key] != key:
            key = self._parents[key]
        return key


def _source_keys(owner: str, battery: Battery) -> list[Key]:
    """Return what tells a battery's sources in any lot of a set: modality, number and type."""
    keys: list[Key] = []
    sources: tuple[tuple[Modality, str | None], ...]
    sources = (("ct", battery.ct_id), ("rgb", battery.rgb_id))
    for modality, source_id in sources:
        if source_id is None:
            continue
        said = source_at_start(source_id)
        if said is None:
            keys.append((owner, modality, source_id.casefold()))
        else:
            keys.append((owner, modality, said.battery_number, said.battery_type))
    return keys


def _unique_names(folders: Iterable[Path]) -> list[str]:
    names: list[str] = []
    for folder in folders:
        name = base = folder.name or "lot"
        count = 2
        while name in names:
            name, count = f"{base}-{count}", count + 1
        names.append(name)
    return names
