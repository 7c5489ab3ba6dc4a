"""What a VLG is worth on labelled pictures, at the station's own thresholds."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inspection.agreement.overlap import box_figures, locate
from inspection.systems.vlg.config import VlgConfig
from inspection.systems.vlg.model import VlgPredictor
from training.data.examples import Example


@dataclass(frozen=True, slots=True)
class VlgFigures:
    """Figures over pictures.

    Parameters
    ----------
    boxes : F1, precision, recall and mean overlap of the boxes, see ``overlap.box_figures``
    false_boxes : per normal picture; None without one
    """

    boxes: dict[str, Any]
    false_boxes: float | None


def judge_vlg(
    predictor: VlgPredictor, examples: Iterable[Example], config: VlgConfig, iou: float = 0.5
) -> VlgFigures:
    """Let a model look at labelled pictures, and return how well its boxes lie.

    Parameters
    ----------
    config : the station's, with its phrases, thresholds and limits
    iou : overlap above which a box is right
    """
    limits = config.limits.as_trained(*predictor.folder.trained_sides)
    located = []
    clean: list[int] = []
    for example in examples:
        types = config.defect_types(example.modality, example.ref.battery_type)
        found = predictor.detect(
            example.image,
            config.phrases(example.modality),
            types,
            limits,
            cancel=threading.Event(),
        )
        boxes = [detection.box for detection in found]
        located.append(locate(boxes, example.polygons(), iou))
        if not example.kinds:
            clean.append(len(boxes))
    return VlgFigures(box_figures(located, iou), sum(clean) / len(clean) if clean else None)
