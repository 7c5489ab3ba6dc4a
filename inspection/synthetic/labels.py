"""Label files of synthetic pictures, as the published sets have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.classes import class_table
from inspection.synthetic.spec import BatteryPlan


def label_of(
    plan: BatteryPlan,
    data_type: str,
    serial: int,
    size: tuple[int, int],
    file_name: str,
    outlines: list[tuple[str, NDArray[np.float32]]],
    roi: tuple[int, int] | None,
) -> dict[str, Any]:
    """Return the label file's content for one picture.

    Parameters
    ----------
    plan : of its battery
    data_type : ``ct`` or ``rgb``
    serial : makes the image's id, with the battery's number
    size : width and height of the picture
    file_name : of the picture
    outlines : kind and outline (n, 2) of each defect, picture pixels
    roi : width and height of the content; None where it is the whole picture
    """
    width, height = size
    limit = np.array([width - 1, height - 1], np.float32)
    table = class_table()
    defects = [
        {
            "id": number,
            "name": table.rows[table.kinds[name][0]].labels[0],
            "points": [round(float(v), 1) for v in np.clip(outline, 0, limit).ravel()],
        }
        for number, (name, outline) in enumerate(outlines, start=1)
    ]
    return {
        "data_info": {
            "data_type": data_type,
            "battery_ids": plan.number,
            "application": "EV",
            "type": plan.battery_type if data_type == "ct" else "cell",
            "form": "pouch" if data_type == "ct" else "cylindrical",
            "date": "2026.01.01",
            "place": "synthetic",
            "distance": None,
            "degree": None,
            "roi": list(roi) if roi else None,
        },
        "swelling": {"swelling": False, "battery_outline": []},
        "defects": defects or None,
        "image_info": {
            "width": width,
            "height": height,
            "file_name": file_name,
            "id": plan.number * 10_000 + serial,
            "is_normal": not defects,
        },
    }


def write_picture(path: Path, pixels: NDArray[np.uint8], options: list[int]) -> None:
    """Write a picture in the format that its name ends with."""
    path.write_bytes(cv2.imencode(path.suffix, pixels, options)[1].tobytes())


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a label."""
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
