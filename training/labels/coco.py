"""COCO: all labels in one JSON file, outlines as polygons."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inspection.classes import class_table
from inspection.config_mistakes import config_error
from inspection.errors import ConfigError, ImageError
from inspection.lot.labels import polygon_area
from inspection.messages import Message
from training.labels.label_file import Outline, Points
from training.labels.pictures import ImageNames, LabelledPicture, Marked, SizeOf, named_normal

Finite = Annotated[float, Field(allow_inf_nan=False)]
Polygon = Annotated[list[Finite], Field(min_length=1, max_length=100_000)]


class _Part(BaseModel):
    """Whatever else a tool writes is its own."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class _CocoImage(_Part):
    id: int | str
    file_name: str = Field(min_length=1)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    normal: Any = Field(default=None, alias="class")


class _Mask(_Part):
    size: tuple[int, int]
    counts: str | list[int]


class _Annotation(_Part):
    id: int | str | None = None
    image_id: int | str
    category_id: int | str
    segmentation: list[Polygon] | _Mask | None = None
    bbox: tuple[Finite, Finite, Finite, Finite] | tuple[()] | None = None


class _Category(_Part):
    id: int | str
    name: str = Field(min_length=1)


class _Coco(_Part):
    images: list[_CocoImage]
    annotations: list[_Annotation]
    categories: list[_Category]


def coco_of(pictures: Sequence[LabelledPicture]) -> dict[str, Any]:
    """Return the labels of some images; a normal image has none, and says its class itself."""
    table = class_table()
    ids = {name: place for place, name in enumerate(table.all_defects, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, start=1):
        width, height = picture.size
        image = {"id": number, "file_name": picture.name, "width": width, "height": height}
        images.append(image if picture.outlines else image | {"class": picture.name_of_class})
        for outline in picture.outlines:
            corners = np.array(outline.points, np.float64)
            low, high = corners.min(axis=0), corners.max(axis=0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": ids[outline.name],
                    "segmentation": [corners.ravel().tolist()],
                    "bbox": [*low.tolist(), *(high - low).tolist()],
                    "area": polygon_area(outline.points),
                    "iscrowd": 0,
                }
            )
    categories = [
        {"id": place, "name": name, "supercategory": table.rows[name].kind}
        for name, place in ids.items()
    ]
    return {"images": images, "annotations": annotations, "categories": categories}


def read_coco(
    path: Path, names: ImageNames, size_of: SizeOf
) -> tuple[dict[str, Marked], list[str]]:
    """Return what a file says of each image of a lot, and the images that the lot does not have.

    Parameters
    ----------
    size_of : of an image, by its name

    Raises
    ------
    ConfigError
        If it cannot be read, is no COCO file, or names what is not in it.
    """
    try:
        found = _Coco.model_validate(json.loads(path.read_text("utf-8-sig")))
    except OSError as error:
        problem = error.strerror or str(error)
        raise ConfigError("labels_unreadable", name=str(path), problem=problem) from error
    except ValidationError as error:
        raise config_error(error, path.name) from error
    except (ValueError, RecursionError) as error:
        problem = f"line {getattr(error, 'lineno', 1)}"
        raise ConfigError("labels_unreadable", name=str(path), problem=problem) from error
    categories = {category.id: category.name for category in found.categories}
    marked: dict[str, Marked] = {}
    by_id: dict[int | str, tuple[_CocoImage, Marked | None]] = {}
    strange: list[str] = []
    for image in found.images:
        name = names.find(image.file_name)
        if name is None:
            strange.append(image.file_name)
        elif name in marked:
            raise ConfigError("labels_image_twice", image=image.file_name)
        else:
            marked[name] = Marked(normal=named_normal(image.normal))
            try:
                size = size_of(name)
            except ImageError as error:
                marked[name].problem = error.message
                size = (image.width, image.height)
            if (image.width, image.height) != size:
                sizes = {"image": f"{size[0]}x{size[1]}", "label": f"{image.width}x{image.height}"}
                marked[name].problem = Message(code="label_size_differs", params={**sizes})
        by_id[image.id] = (image, None if name is None else marked[name])
    for place, annotation in enumerate(found.annotations):
        if annotation.image_id not in by_id or annotation.category_id not in categories:
            raise ConfigError("labels_dangling", name=path.name, place=f"annotations[{place}]")
        image, said = by_id[annotation.image_id]
        if said is None or said.problem is not None:
            continue
        category = categories[annotation.category_id]
        outlines = [points for points in _outlines(annotation, image) if len(points) >= 3]
        if not outlines:
            params: dict[str, str | int | float] = {"place": f"annotations[{place}]"}
            said.problem = Message(code="labels_shape_empty", params=params)
        said.outlines += [Outline(category, points) for points in outlines]
    return marked, strange


def _outlines(annotation: _Annotation, image: _CocoImage) -> list[Points]:
    shape = annotation.segmentation
    if isinstance(shape, _Mask):
        return _of_mask(shape, image)
    if shape:
        return [tuple(zip(numbers[::2], numbers[1::2], strict=False)) for numbers in shape]
    if not annotation.bbox:
        return []
    x, y, w, h = annotation.bbox
    return [((x, y), (x + w, y), (x + w, y + h), (x, y + h))] if w > 0 and h > 0 else []


def _of_mask(mask: _Mask, image: _CocoImage) -> list[Points]:
    """Return the outlines of what a mask of runs covers, holes filled; none of a wrong one."""
    height, width = mask.size
    counts = _unpacked(mask.counts) if isinstance(mask.counts, str) else mask.counts
    if (width, height) != (image.width, image.height) or min(counts, default=-1) < 0:
        return []
    if sum(counts) != height * width:
        return []
    covered = np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8)
    # Column by column. Twice as large: a contour runs through the middles of pixels, and what is
    # one pixel wide would have none.
    pixels = covered.reshape(width, height).T
    large = np.ascontiguousarray(pixels.repeat(2, axis=0).repeat(2, axis=1))
    contours, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [tuple(((x + 0.5) / 2, (y + 0.5) / 2) for x, y in c[:, 0].tolist()) for c in contours]


def _unpacked(text: str) -> list[int]:
    """Return the runs of a packed mask; empty where it is none.

    Five bits a letter, the lowest first, a sixth where more follow; from the third run on what is
    written is how much longer it is than the one but last.
    """
    counts: list[int] = []
    value, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            return []
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    return [] if shift else counts
