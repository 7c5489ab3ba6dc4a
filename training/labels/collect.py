"""``trainer collect``: what operators have decided, as a labelled lot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspection.errors import ConfigError, ImageError, SessionError
from inspection.images.decoding import Decoder
from inspection.lot.pairing import PAIRS_NAME
from inspection.lot.scan import scan_lot
from inspection.messages import Message
from inspection.records import Battery, BatteryType, ImageRef, Lot, image_name
from inspection.results import Box
from inspection.session.confirmed import Confirmed, LeftOut, read_confirmed
from inspection.session.prints import changed_names
from inspection.session.store import SessionStore
from training.labels.label_file import NewLabel, Outline, normal_class, type_for
from training.labels.lot_writer import LotWriter
from training.labels.merging import Taught, merge

COLLECTED_NAME = "collected.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class _Session:
    """A session, and which of its labelled images are not as they were judged."""

    confirmed: Confirmed
    changed: frozenset[str]


@dataclass(slots=True)
class Collected:
    """What was written.

    Parameters
    ----------
    out : the data set
    lots : folder of each lot in it, by the lot that it was collected from
    batteries, images : how many were written
    labelled : images by class
    left_out : what teaches nothing, and why
    """

    out: Path
    lots: dict[str, Path] = field(default_factory=dict)
    batteries: int = 0
    images: int = 0
    labelled: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)

    def document(self, language: str) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return {
            "dataset": str(self.out),
            "lots": {lot: str(folder) for lot, folder in self.lots.items()},
            "batteries": self.batteries,
            "images": self.images,
            "labelled": dict(self.labelled),
            "left_out": [told(one, language) for one in self.left_out],
        }


def collect(
    sessions: Sequence[Path],
    out: Path,
    *,
    moved_to: Path | None = None,
    accept_unsealed: bool = False,
    battery_type: BatteryType | None = None,
) -> Collected:
    """Write the decided batteries of some sessions as a labelled lot, one for each of their lots.

    All images of these batteries are in it; a label have those on which a region was drawn or
    that were confirmed as normal one by one.

    Parameters
    ----------
    out : new folder
    moved_to : where their one lot is now, as a copy or not; by default where it was inspected
    accept_unsealed : take sessions that cannot be vouched for too
    battery_type : of the batteries whose names do not tell theirs

    Raises
    ------
    InspectionError
        If a session or its lot cannot be read, nothing in them is labelled, or the disk refuses.
    """
    lots: dict[Path, list[_Session]] = {}
    for folder in sessions:
        session = _read(folder, moved_to, accept_unsealed)
        root = moved_to or Path(session.confirmed.lot.path)
        lots.setdefault(root.resolve(), []).append(session)
    names = {session.confirmed.lot.name for found in lots.values() for session in found}
    if moved_to is not None and len(names) > 1:
        raise ConfigError("collect_lots_differ", lots=", ".join(sorted(names)))
    done = Collected(out)
    documents: list[dict[str, Any]] = []
    with LotWriter(out) as writer:
        for root, found in lots.items():
            within = "" if len(lots) == 1 else _folder_name(root, done.lots.values())
            done.lots[str(root)] = out / within
            taught = merge([session.confirmed for session in found])
            changed = frozenset().union(*(session.changed for session in found))
            lot = scan_lot(root)
            labels, left_out = _labels(lot, taught, changed, battery_type)
            done.left_out += [*left_out, *taught.left_out]
            _write(writer, lot, labels, taught, within, done)
            documents.append(_document(root, found, taught, labels, lot))
        if not done.labelled:
            raise ConfigError("collect_nothing", left_out=len(done.left_out))
        left_out_told = [told(one, "en") | {"ko": one.reason.text("ko")} for one in done.left_out]
        content = {"schema_version": SCHEMA_VERSION, "lots": documents, "left_out": left_out_told}
        writer.add_json(COLLECTED_NAME, content)
    return done


def told(one: LeftOut, language: str) -> dict[str, Any]:
    """Return what was left out, and why, as it is written."""
    reason = one.reason
    return {
        "battery": one.battery_id,
        "image": one.image,
        "code": reason.code,
        "reason": reason.text(language),
    }


def _read(folder: Path, moved_to: Path | None, accept_unsealed: bool) -> _Session:
    with SessionStore.open(folder, read_only=True) as store:
        confirmed = read_confirmed(store, accept_unsealed=accept_unsealed)
        if not confirmed.lot.path and moved_to is None:
            # A session that was made anew from its batteries has forgotten where they are from.
            raise SessionError("collect_lot_unknown", session=str(folder))
        labelled = {one.battery_id for one in confirmed.images}
        labelled |= {one.battery_id for one in confirmed.regions}
        changed: set[str] = set()
        for battery_id in labelled:
            result = store.load_battery(battery_id)
            if result is not None:
                root = moved_to or Path(confirmed.lot.path)
                # A copy has times of its own; its sizes and, where they were kept, digests tell.
                names = changed_names(result, root, times=moved_to is None)
                changed.update(*names.values())
    return _Session(confirmed, frozenset(changed))


def _labels(
    lot: Lot, taught: Taught, changed: frozenset[str], battery_type: BatteryType | None
) -> tuple[list[NewLabel], list[LeftOut]]:
    """Return the labels of a lot's images, and those that cannot be labelled after all."""
    refs = {
        image_name(ref, lot.root): (battery, ref)
        for battery in lot.batteries
        for ref in (*battery.ct, *battery.rgb)
    }
    labels: list[NewLabel] = []
    left_out: list[LeftOut] = []
    owners = {one.image: one.battery_id for one in taught.images.values()}
    owners |= {one.image: one.battery_id for one in taught.regions.values()}
    for name, owner in owners.items():
        params: dict[str, str | int | float] = {"battery": owner, "image": name}
        if name not in refs or _is_among(name, changed):
            code = "collect_image_changed" if name in refs else "collect_image_gone"
            label: NewLabel | Message = Message(code=code, params=params)
        else:
            battery, ref = refs[name]
            drawn = taught.regions.get(name)
            outline = None
            if drawn is not None:
                points = _points(drawn.region.box, drawn.region.polygon)
                outline = Outline(drawn.defect_type, points)
            word = taught.decided.get(owner)
            label = _label(
                ref,
                outline,
                # A pair shares a number and no body: the type of its CT is not that of its views.
                ref.battery_type
                or (battery.battery_type if ref.modality == "ct" else None)
                or battery_type,
                word.defect_type if word else None,
                params,
            )
        if isinstance(label, Message):
            left_out.append(LeftOut(owner, label, name))
        else:
            labels.append(label)
    return labels, left_out


def _label(
    ref: ImageRef,
    outline: Outline | None,
    known: BatteryType | None,
    decided: str | None,
    params: dict[str, str | int | float],
) -> NewLabel | Message:
    """Return an image's label, or why there is none."""
    try:
        for name in (outline.name if outline else None, decided):
            if name is not None and ref.modality == "ct":
                known = type_for(name, known)
    except (ValueError, KeyError):
        return Message(code="collect_type_other", params=params)
    if outline is None and normal_class(ref.modality, known) is None:
        return Message(code="collect_type_unknown", params=params)
    try:
        size = Decoder(ref.source, ref.modality).size
    except ImageError as error:
        return error.message
    return NewLabel(ref, size, known, (outline,) if outline else ())


def _points(box: Box | None, polygon: Sequence[tuple[int, int]]) -> tuple[tuple[float, float], ...]:
    if box is None:
        return tuple((float(x), float(y)) for x, y in polygon)
    left, top, right, bottom = box.x, box.y, box.x + box.w, box.y + box.h
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _is_among(name: str, changed: frozenset[str]) -> bool:
    """Return whether an image's file, or one of the volume that it is a plane of, has changed."""
    volume, plane, _ = name.partition("#")
    if name in changed or volume in changed:
        return True
    return bool(plane) and any(other.startswith(f"{volume}/") for other in changed)


def _write(
    writer: LotWriter,
    lot: Lot,
    labels: Sequence[NewLabel],
    taught: Taught,
    within: str,
    done: Collected,
) -> None:
    wanted = taught.decided.keys() | {label.ref.battery_id for label in labels}
    for battery in lot.batteries:
        if battery.battery_id in wanted:
            done.batteries += 1
            for ref in (*battery.ct, *battery.rgb):
                writer.add_image(ref, lot.root, within)
                done.images += 1
    if (lot.root / PAIRS_NAME).is_file():
        writer.add_file(lot.root / PAIRS_NAME, str(Path(within) / PAIRS_NAME))
    for label in labels:
        writer.add_label(label, lot.root, within)
        done.labelled[_class_of(label)] += 1


def _class_of(label: NewLabel) -> str:
    if label.outlines:
        return label.outlines[0].name
    return normal_class(label.ref.modality, label.battery_type) or ""


def _folder_name(root: Path, taken: Iterable[Path]) -> str:
    names = {folder.name for folder in taken}
    name, count = root.name, 2
    while name in names:
        name, count = f"{root.name}-{count}", count + 1
    return name


def _document(
    root: Path,
    sessions: Sequence[_Session],
    taught: Taught,
    labels: Sequence[NewLabel],
    lot: Lot,
) -> dict[str, Any]:
    """Return where each label and each battery's word comes from."""
    there: dict[str, Battery] = {battery.battery_id: battery for battery in lot.batteries}
    images = []
    for label in labels:
        name = image_name(label.ref, lot.root)
        said = taught.regions.get(name) or taught.images[name]
        by = {"by": said.by, "at": said.at.isoformat()}
        images.append({"image": name, "class": _class_of(label), **by})
    return {
        "lot": str(root),
        "sessions": [
            {"run_id": one.confirmed.run_id, "seal": one.confirmed.seal.state} for one in sessions
        ],
        "batteries": [
            {
                "battery": word.battery_id,
                "kind": word.kind,
                "defect_type": word.defect_type,
                "by": word.by,
                "at": word.at.isoformat(),
            }
            for word in taught.decided.values()
            if word.battery_id in there
        ],
        "images": images,
    }
