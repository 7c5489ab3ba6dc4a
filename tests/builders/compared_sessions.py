"""Results of three systems on chosen images, and their sessions, as the lanes write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from inspection.messages import Message
from inspection.records import Battery, Lot
from inspection.results import (
    BatteryResult,
    Box,
    ChosenImages,
    EnsembleResult,
    ImageResult,
    ModelProvenance,
    Verdict,
    VlgImage,
    VlgResult,
    VlmImage,
    VlmResult,
)
from inspection.session.creating import create_session
from inspection.session.record import Decision

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
Word = Literal["normal", "defect", "review", "failed", None]
"""What a system says of an image; None where it was not asked."""
FAILURE = Message(code="config_missing", params={"name": "a.png"})
POROSITY = "cell_porosity"


def box(x: int = 10, y: int = 10, w: int = 20, h: int = 20) -> Box:
    return Box(x=x, y=y, w=w, h=h)


def place(name: str) -> dict[str, Any]:
    """Return what the name of an image says of it."""
    number = int(name.rsplit(".", 1)[0].rsplit("_", 1)[1])
    if "CT_" in name:
        return {"image": name, "modality": "ct", "axis": "z", "number": number}
    return {"image": name, "modality": "rgb", "number": number}


def ensemble_image(name: str, word: Word, boxes: Sequence[Box] = ()) -> ImageResult:
    where = place(name)
    if word == "failed":
        return ImageResult(**where, state="failed", error=FAILURE)
    defect = word == "defect"
    ct = where["modality"] == "ct"
    score = 0.9 if defect else 0.1
    return ImageResult(
        **where,
        state="done",
        pred_label=(POROSITY if defect else "cell_normal") if ct else word,
        probabilities={POROSITY: score, "cell_normal": 1 - score} if ct else {},
        pred_score=score,
        threshold=0.5,
        is_anomaly=defect,
        pred_boxes=list(boxes),
        seconds=0.02,
    )


def vlm_image(
    name: str,
    word: Word,
    boxes: Sequence[Box] = (),
    defect_type: str | None = None,
    explanation: str = "",
) -> VlmImage:
    where = place(name)
    if word == "failed":
        return VlmImage(**where, state="failed", error=FAILURE)
    return VlmImage(
        **where,
        state="done",
        width=100,
        height=80,
        prediction=word,
        defect_type=defect_type,
        explanation=explanation,
        bbox=list(boxes),
        answer=explanation,
        form="unread" if word == "review" and not explanation else "json",
        seconds=2.0,
    )


def vlg_image(
    name: str, word: Word, boxes: Sequence[Box] = (), defect_type: str = POROSITY
) -> VlgImage:
    where = place(name)
    if word == "failed":
        return VlgImage(**where, state="failed", error=FAILURE)
    found = list(boxes) or ([box()] if word == "defect" else [])
    return VlgImage(
        **where,
        state="done",
        width=100,
        height=80,
        bboxes=found,
        scores=[0.8] * len(found),
        defect_types=[defect_type] * len(found),
        phrases=["porosity"] * len(found),
        seconds=0.5,
    )


def battery_result(
    battery_id: str,
    ensemble: Sequence[ImageResult],
    vlm: Sequence[VlmImage] = (),
    vlg: Sequence[VlgImage] = (),
    *,
    method: Literal["worst_and_even", "even", "sample"] = "sample",
    **changes: Any,
) -> BatteryResult:
    """Return a battery as the lanes leave it; a system without images was off."""
    defect = any(image.is_anomaly for image in ensemble)
    looked_at = list(dict.fromkeys(image.image for image in (*vlm, *vlg)))
    chosen = ChosenImages(method=method, seed=1 if method == "sample" else None, images=looked_at)
    systems: Mapping[Any, Any] = {"ensemble": ensemble, "vlm": vlm, "vlg": vlg}
    content: dict[str, Any] = {
        "battery_id": battery_id,
        "ct_id": battery_id,
        "state": "done",
        "systems": {name: "done" if said else "off" for name, said in systems.items()},
        "verdict": Verdict(
            kind="internal_defect" if defect else "normal",
            defect_type=POROSITY if defect else None,
        ),
        "ensemble": EnsembleResult(
            prediction="internal_defect" if defect else "normal",
            method="weighted_average",
            weights={},
        ),
        "vlm": vlm_result(vlm) if vlm else None,
        "vlg": vlg_result(vlg) if vlg else None,
        "chosen": {name: chosen for name in ("vlm", "vlg") if systems[name]},
        "system_seconds": {name: 3.0 for name, said in systems.items() if said},
        "images": list(ensemble),
        "seconds": 3.0,
    }
    return BatteryResult(**content | changes)


def vlm_result(images: Sequence[VlmImage]) -> VlmResult:
    deciding = next((i for i in images if i.prediction == "defect"), images[0])
    return VlmResult(
        prediction=deciding.prediction or "review",
        defect_type=deciding.defect_type,
        explanation=deciding.explanation,
        bbox=deciding.bbox,
        image=deciding.image,
        images=list(images),
    )


def vlg_result(images: Sequence[VlgImage]) -> VlgResult:
    return VlgResult(
        bboxes=[b for image in images for b in image.bboxes],
        scores=[s for image in images for s in image.scores],
        defect_types=[t for image in images for t in image.defect_types],
        box_images=[image.image for image in images for _ in image.bboxes],
        images=list(images),
    )


def write_session(
    root: Path,
    lot: Path,
    results: Sequence[BatteryResult],
    *,
    name: datetime = NOW,
    decisions: Mapping[str, Any] | None = None,
    **record: Any,
) -> Path:
    """Save results as a finished session and return its folder."""
    content: dict[str, Any] = {
        "operator": "김영수",
        "station": "라인 3",
        "language": "en",
        "config": {"inspector": {"method": "weighted_average"}, "sample": 1},
        "device": "cpu",
        "models": [ModelProvenance(slot="ct_cnn", name="demo", sha256="ab" * 32)],
        "version": "0.1.0",
    }
    batteries = tuple(
        Battery(battery_id=r.battery_id, ct_id=r.ct_id, rgb_id=r.rgb_id) for r in results
    )
    with create_session(
        root, lot=Lot(root=lot, batteries=batteries), now=name, **content | record
    ) as store:
        for result in results:
            store.save_battery(result)
        for battery_id, kind in (decisions or {}).items():
            store.decide(
                battery_id,
                Decision(
                    action="override", kind=kind, operator="김영수", decided_at=datetime.now(UTC)
                ),
            )
        store.mark("completed")
        return store.folder


def write_lot(root: Path, labels: Mapping[str, Mapping[str, Any] | None]) -> Path:
    """Write a lot of grey pictures, each with its label; None leaves one without.

    A label is what differs from a normal one: ``defects`` as name and box, or ``is_normal``.
    """
    for name, label in labels.items():
        ct = "CT_" in name
        folder = root / name.split("_")[3] / ("ct" if ct else "rgb")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.full((80, 100) if ct else (80, 100, 3), 120, np.uint8)
        # A frame of one value is no picture.
        pixels[::8] = 130
        picture = cv2.imencode(Path(name).suffix, pixels)[1].tobytes()
        (folder / name).write_bytes(picture)
        if label is not None:
            content = json.dumps(_label(name, label), ensure_ascii=False)
            (folder / Path(name).with_suffix(".json")).write_text(content, encoding="utf-8")
    return root


def lot_name(name: str) -> str:
    """Return the name in results of an image that `write_lot` wrote."""
    return f"{name.split('_')[3]}/{'ct' if 'CT_' in name else 'rgb'}/{name}"


def _label(name: str, label: Mapping[str, Any]) -> dict[str, Any]:
    defects = [
        {
            "id": n,
            "name": kind,
            "points": [b.x, b.y, b.x + b.w, b.y, b.x + b.w, b.y + b.h, b.x, b.y + b.h],
        }
        for n, (kind, b) in enumerate(label.get("defects", ()), start=1)
    ]
    return {
        "data_info": {
            "data_type": "ct" if "CT_" in name else "rgb",
            "battery_ids": int(name.split("_")[3]),
            "type": "cell",
            "form": name.split("_")[2],
        },
        "swelling": {"swelling": False},
        "defects": defects or None,
        "image_info": {
            "width": 100,
            "height": 80,
            "file_name": name,
            "is_normal": label.get("is_normal", not defects),
        },
    }
