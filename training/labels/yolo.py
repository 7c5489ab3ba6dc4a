"""YOLO: a text file per image, a line per defect, in shares of the image; boxes or polygons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from inspection.classes import class_table
from inspection.errors import ConfigError, ImageError
from inspection.messages import Message
from inspection.yaml_file import read_yaml
from training.labels.label_file import Outline, Points
from training.labels.pictures import (
    ImageNames,
    LabelledPicture,
    Marked,
    SizeOf,
    key_of,
    named_normal,
)

DATA_NAME = "data.yaml"
NORMAL_NAME = "normal.txt"
"""Lists the images that show nothing wrong, with their class: an empty file may say nothing."""
NAME_LISTS = ("classes.txt", "obj.names")
BEYOND = 1e-3
"""Shares so far over the edge are roundings."""


def yolo_files(pictures: Sequence[LabelledPicture], *, boxes: bool) -> dict[str, str]:
    """Return the content of each file by its path below the folder.

    Parameters
    ----------
    boxes : write the box of each defect, for detection; else its outline, for segmentation
    """
    names = class_table().all_defects
    head = {"path": ".", "train": "images", "val": "images", "names": dict(enumerate(names))}
    files = {DATA_NAME: yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}
    normal = [picture for picture in pictures if not picture.outlines]
    lines = [f"{picture.name}\t{picture.name_of_class}\n" for picture in normal]
    files[NORMAL_NAME] = "".join(lines)
    for picture in pictures:
        width, height = picture.size
        lines = []
        for outline in picture.outlines:
            shares = [(x / width, y / height) for x, y in outline.points]
            if boxes:
                (left, right), (top, bottom) = (
                    (min(side), max(side)) for side in zip(*shares, strict=True)
                )
                shares = [((left + right) / 2, (top + bottom) / 2), (right - left, bottom - top)]
            numbers = " ".join(f"{value:.10g}" for share in shares for value in share)
            lines.append(f"{names.index(outline.name)} {numbers}\n")
        files[f"labels/{key_of(picture.name)}.txt"] = "".join(lines)
    return files


def read_yolo(
    folder: Path, names: ImageNames, size_of: SizeOf
) -> tuple[dict[str, Marked], list[str]]:
    """Return what a folder says of each image of a lot, and the images that the lot does not have.

    Parameters
    ----------
    folder : with ``data.yaml`` or ``classes.txt``, and files below ``labels`` or itself
    size_of : of an image, by its name

    Raises
    ------
    ConfigError
        If it cannot be read, does not name the classes, or holds no label file.
    """
    try:
        classes, beside = _class_names(folder)
        labels = folder / "labels" if (folder / "labels").is_dir() else folder
        paths = sorted(path for path in labels.rglob("*.txt") if path.is_file())
        paths = [path for path in paths if path not in beside]
        texts = {path: path.read_text("utf-8-sig") for path in paths}
        listed = folder / NORMAL_NAME
        normal = listed.read_text("utf-8-sig").splitlines() if listed.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise ConfigError("labels_unreadable", name=str(folder), problem=problem) from error
    if not texts:
        raise ConfigError("labels_none", folder=str(folder))
    marked: dict[str, Marked] = {}
    strange: list[str] = []
    for path, text in texts.items():
        called = path.relative_to(labels).as_posix().removesuffix(".txt")
        name = names.find(called)
        if name is None:
            strange.append(called)
            continue
        if name in marked:
            raise ConfigError("labels_image_twice", image=called)
        marked[name] = said = Marked()
        try:
            size = size_of(name)
        except ImageError as error:
            said.problem = error.message
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                outline = _outline(line.split(), classes, size)
                if outline is None:
                    params: dict[str, str | int | float] = {"place": f"{path.name}:{number}"}
                    said.problem = Message(code="labels_line_odd", params=params)
                else:
                    said.outlines.append(outline)
    for line in normal:
        called, _, said_class = line.partition("\t")
        name = names.find(called.strip()) if called.strip() else None
        if name is not None:
            said = marked.setdefault(name, Marked())
            said.normal = named_normal(said_class.strip() or "normal")
    return marked, strange


def _class_names(folder: Path) -> tuple[dict[int, str], set[Path]]:
    """Return the classes by number, and the text files that are no labels."""
    beside = {folder / name for name in (*NAME_LISTS, NORMAL_NAME)}
    for path in (folder / DATA_NAME, folder / "dataset.yaml"):
        if path.is_file():
            content: Any = read_yaml(path)
            names = content.get("names") if isinstance(content, dict) else None
            if isinstance(names, list):
                names = dict(enumerate(names))
            if not isinstance(names, dict) or not all(
                str(key).isdecimal() and isinstance(name, str) for key, name in names.items()
            ):
                raise ConfigError("labels_names_missing", name=path.name)
            return {int(key): name for key, name in names.items()}, beside
    for path in (folder / name for name in NAME_LISTS):
        if path.is_file():
            lines = path.read_text("utf-8-sig").splitlines()
            return {place: line.strip() for place, line in enumerate(lines)}, beside
    raise ConfigError("labels_names_missing", name=str(folder))


def _outline(words: list[str], classes: dict[int, str], size: tuple[int, int]) -> Outline | None:
    """Return a line's defect; None where it is none."""
    try:
        place, numbers = int(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        return None
    if place not in classes or not all(
        math.isfinite(number) and -BEYOND <= number <= 1 + BEYOND for number in numbers
    ):
        return None
    points = _points(numbers)
    if points is None:
        return None
    width, height = size
    return Outline(
        classes[place],
        tuple((min(max(x, 0.0), 1.0) * width, min(max(y, 0.0), 1.0) * height) for x, y in points),
    )


def _points(numbers: list[float]) -> Points | None:
    # A fifth number is how sure a model was that has drawn the box.
    if len(numbers) in (4, 5):
        x, y, w, h = numbers[:4]
        if w <= 0 or h <= 0:
            return None
        left, right, top, bottom = x - w / 2, x + w / 2, y - h / 2, y + h / 2
        return ((left, top), (right, top), (right, bottom), (left, bottom))
    if len(numbers) < 6 or len(numbers) % 2:
        return None
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
