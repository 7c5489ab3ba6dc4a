"""What a VLG in training is worth at the station's own thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import GroundingDinoForObjectDetection

from inspection.agreement.overlap import Located, locate
from inspection.records import Rect
from inspection.systems.vlg.boxes import Raw, detect
from inspection.systems.vlg.config import VlgConfig, VlgLimits
from inspection.systems.vlg.model import scaled_size
from training.data.examples import Example
from training.vlg.batches import padded, prepare
from training.vlg.config import VlgTraining
from training.vlg.text import Captions

SCALES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.8, 2.4, 3.5)
"""Factors of the logits that are tried: the thresholds are the station's, and stay as they are."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """Figures of the validation pictures.

    Parameters
    ----------
    scale : factor of the logits at which they were reached
    f1, recall : of boxes that overlap a defect by more than half; a normal picture counts for all
        that it stands for
    false_boxes : per normal picture
    best_iou : mean overlap of a defect's best box
    """

    scale: float
    f1: float
    recall: float
    false_boxes: float
    best_iou: float

    def rank(self, false_boxes: float) -> tuple[float, ...]:
        """Return by what it is compared, higher is better."""
        return (-max(0.0, self.false_boxes - false_boxes), self.f1)


class Judge:
    """Judges networks by the same pictures.

    Parameters
    ----------
    examples : those with defects are all judged by, of the normal ones some, evenly spaced
    """

    def __init__(
        self,
        examples: Sequence[Example],
        queries: VlgConfig,
        captions: Captions,
        limits: VlgLimits,
        training: VlgTraining,
    ) -> None:
        self._queries, self._captions, self._limits = queries, captions, limits
        self._false_boxes = training.false_boxes
        normal = [e for e in examples if not e.is_defect]
        count = min(training.judged_normals, len(normal))
        self._normal = [normal[index * len(normal) // count] for index in range(count)]
        self._defective = [e for e in examples if e.is_defect]
        self._weight = len(normal) / count if count else 0.0

    def judge(self, model: GroundingDinoForObjectDetection) -> Found:
        """Return the figures at the best scale of the logits."""
        was_training = model.training
        model.eval()
        with torch.inference_mode():
            defective = [(e, *self._answer(model, e)) for e in self._defective]
            normal = [(e, *self._answer(model, e)) for e in self._normal]
        model.train(was_training)
        tried = [self._figures(defective, normal, scale) for scale in SCALES]
        return max(tried, key=lambda found: (*found.rank(self._false_boxes), -abs(found.scale - 1)))

    def _answer(
        self, model: GroundingDinoForObjectDetection, example: Example
    ) -> tuple[Floats, Floats]:
        height, width = example.pixels.shape[:2]
        device = next(model.parameters()).device
        pixels = prepare(example.pixels, scaled_size((width, height), self._limits)).to(device)
        ids, mask = (t.to(device) for t in padded([self._captions.full(example.modality)]))
        answer = model(pixel_values=pixels, input_ids=ids, attention_mask=mask)
        return answer.logits[0].float().cpu().numpy(), answer.pred_boxes[0].float().cpu().numpy()

    def _figures(
        self,
        defective: Sequence[tuple[Example, Floats, Floats]],
        normal: Sequence[tuple[Example, Floats, Floats]],
        scale: float,
    ) -> Found:
        there = [self._locate(*answer, scale) for answer in defective]
        clean = [self._locate(*answer, scale) for answer in normal]
        matched, defects = sum(i.matched for i in there), sum(i.defects for i in there)
        false = sum(i.boxes for i in clean)
        boxes = sum(i.boxes for i in there) + self._weight * false
        best = [value for item in there for value in item.best]
        return Found(
            scale=scale,
            f1=2 * matched / (boxes + defects) if boxes + defects else 0.0,
            recall=matched / defects if defects else 0.0,
            false_boxes=false / len(clean) if clean else 0.0,
            best_iou=float(np.mean(best)) if best else 0.0,
        )

    def _locate(self, example: Example, logits: Floats, boxes: Floats, scale: float) -> Located:
        height, width = example.pixels.shape[:2]
        caption = self._captions.full(example.modality)
        probabilities = 1 / (1 + np.exp(-np.clip(scale * logits, -60, 60)))
        raw = Raw(probabilities, boxes, caption.spans)
        types = self._queries.defect_types(example.modality, example.ref.battery_type)
        detections = detect([raw], types, self._limits, region=Rect(x=0, y=0, w=width, h=height))
        corners = example.boxes * np.array([width, height] * 2)
        polygons = [
            np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
            for x0, y0, x1, y1 in corners
        ]
        return locate([d.box for d in detections], polygons)
