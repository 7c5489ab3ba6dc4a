"""``trainer labels``: a lot's labels out to a labelling tool, and what it has made of them back."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from inspection.atomic import make_folder, write_atomic
from inspection.classes import class_table
from inspection.errors import ConfigError, ImageError
from inspection.images.decoding import Decoder
from inspection.lot.scan import scan_lot
from inspection.messages import Message
from inspection.records import BatteryType, ImageRef, image_name
from training.data.labelled import LabelledImage, Progress, read_labels, scan_lots
from training.labels.coco import coco_of, read_coco
from training.labels.label_file import NewLabel, Outline, normal_class, type_for
from training.labels.lot_writer import LotWriter
from training.labels.pictures import ImageNames, LabelledPicture, Marked, class_named
from training.labels.yolo import read_yolo, yolo_files

Form = Literal["coco", "yolo"]
Unmarked = Literal["skip", "normal"]


@dataclass(slots=True)
class Exchanged:
    """What was brought over.

    Parameters
    ----------
    images : labelled, by class
    left_out : name of an image, and why it has no label there
    unmarked : images of which nothing is said
    """

    images: Counter[str] = field(default_factory=Counter)
    left_out: list[tuple[str, Message]] = field(default_factory=list)
    unmarked: int = 0

    def document(self, language: str) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return {
            "labelled": dict(self.images),
            "left_out": [
                {"image": name, "code": reason.code, "reason": reason.text(language)}
                for name, reason in self.left_out
            ],
            "unmarked": self.unmarked,
        }


def export_labels(
    lot: Path, out: Path, form: Form, *, boxes: bool = False, progress: Progress | None = None
) -> Exchanged:
    """Write the labels of a lot for a labelling tool.

    Parameters
    ----------
    out : new file (COCO) or new folder (YOLO), where the images are too

    Raises
    ------
    InspectionError
        If the lot cannot be read, nothing in it is labelled, something is at ``out``, or the disk
        refuses.
    """
    lots = scan_lots([lot])
    root = next(iter(lots.lots.values())).root
    done = Exchanged()
    pictures: list[LabelledPicture] = []
    for image in read_labels(lots, progress):
        if image.label is None:
            continue
        name = image_name(image.ref, root)
        if image.name is None:
            reason = image.reason or Message(code="label_without_class")
            done.left_out.append((name, reason))
            continue
        pictures.append(_picture(image, name))
        done.images[image.name] += 1
    if not pictures:
        raise ConfigError("split_no_labels", lots=lot.name)
    if form == "coco":
        _write_file(out, json.dumps(coco_of(pictures), ensure_ascii=False, indent=1) + "\n")
        return done
    with LotWriter(out) as writer:
        for path, text in yolo_files(pictures, boxes=boxes).items():
            writer.add_text(path, text)
        for picture in pictures:
            # A plane has no file of its own.
            if picture.ref.section is None:
                writer.add_file(picture.ref.path, f"images/{picture.name}")
    return done


def _picture(image: LabelledImage, name: str) -> LabelledPicture:
    ref, label, table = image.ref, image.label, class_table()
    assert label is not None
    assert image.name is not None
    kind_of = {
        defect.name: table.class_of(defect.name, ref.modality, label.battery_type)
        for defect in label.defects
    }
    outlines = tuple(
        Outline(named, defect.points)
        for defect in label.defects
        if (named := kind_of[defect.name]) is not None
    )
    size = label.size or Decoder(ref.source, ref.modality).size
    return LabelledPicture(ref, name, size, image.name, outlines)


def _write_file(out: Path, text: str) -> None:
    try:
        if out.exists():
            raise ConfigError("labels_out_taken", folder=str(out))
        make_folder(out.resolve().parent)
        write_atomic(out, text)
    except OSError as error:
        problem = error.strerror or str(error)
        raise ConfigError("folder_unwritable", folder=str(out), problem=problem) from error


def import_labels(
    source: Path,
    images: Path,
    out: Path,
    form: Form,
    *,
    unmarked: Unmarked = "skip",
    battery_type: BatteryType | None = None,
) -> Exchanged:
    """Write what a labelling tool says of a lot's images as a labelled lot.

    Parameters
    ----------
    source : file (COCO) or folder (YOLO)
    images : the lot whose images were labelled; its own labels are not taken over
    out : new folder
    unmarked : whether images on which nothing is marked are normal, or nothing is known of them
    battery_type : of the images whose names do not tell it

    Raises
    ------
    InspectionError
        If either cannot be read, they do not fit each other, or the disk refuses.
    """
    lot = scan_lot(images)
    refs = {
        image_name(ref, lot.root): ref
        for battery in lot.batteries
        for ref in (*battery.ct, *battery.rgb)
    }

    def size_of(name: str) -> tuple[int, int]:
        return Decoder(refs[name].source, refs[name].modality).size

    names = ImageNames(refs)
    if form == "coco":
        marked, strange = read_coco(source, names, size_of)
    else:
        marked, strange = read_yolo(source, names, size_of)
    done = Exchanged()
    missing = Message(code="labels_image_unknown")
    done.left_out = [(name, missing) for name in strange]
    labels: list[NewLabel] = []
    for name, said in marked.items():
        if not said.outlines and said.problem is None and not said.normal and unmarked == "skip":
            done.unmarked += 1
            continue
        ref = refs[name]
        known = ref.battery_type or battery_type
        try:
            label = said.problem or _new_label(ref, said, known, size_of(name))
        except ImageError as error:
            label = error.message
        if isinstance(label, Message):
            done.left_out.append((name, label))
        else:
            labels.append(label)
            done.images[_class_of(label)] += 1
    if not labels:
        raise ConfigError("labels_nothing", unmarked=done.unmarked, left_out=len(done.left_out))
    owners = {label.ref.battery_id for label in labels}
    with LotWriter(out) as writer:
        for ref in refs.values():
            if ref.battery_id in owners:
                writer.add_image(ref, lot.root)
        for label in labels:
            writer.add_label(label, lot.root)
    return done


def _new_label(
    ref: ImageRef, said: Marked, known: BatteryType | None, size: tuple[int, int]
) -> NewLabel | Message:
    """Return an image's label, or why it has none."""
    outlines: list[Outline] = []
    for outline in said.outlines:
        name = class_named(outline.name, ref.modality, known)
        if name is None:
            return Message(code="labels_class_elsewhere", params={"name": outline.name})
        if any(not (-1 <= x <= size[0] + 1 and -1 <= y <= size[1] + 1) for x, y in outline.points):
            return Message(code="labels_beyond_image", params={"name": outline.name})
        if ref.modality == "ct":
            known = type_for(name, known)
        outlines.append(Outline(name, outline.points))
    if not outlines and ref.modality == "ct" and said.normal in class_table().ct:
        try:
            known = type_for(said.normal, known)
        except ValueError:
            return Message(code="labels_class_elsewhere", params={"name": said.normal})
    if not outlines and normal_class(ref.modality, known) is None:
        return Message(code="labels_type_unknown")
    return NewLabel(ref, size, known, tuple(outlines))


def _class_of(label: NewLabel) -> str:
    if not label.outlines:
        return normal_class(label.ref.modality, label.battery_type) or ""
    return class_table().gravest({outline.name for outline in label.outlines}) or ""
