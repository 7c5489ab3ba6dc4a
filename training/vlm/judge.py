"""How right a VLM is about labelled pictures, by what it writes as the station has it write."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from inspection.agreement.overlap import locate
from inspection.messages import Language
from inspection.systems.vlm.answers import read_answer
from inspection.systems.vlm.boxes import BoxFrame
from inspection.systems.vlm.config import Prompts, VlmConfig
from inspection.systems.vlm.model import VlmPredictor
from training.data.examples import Example


@dataclass(frozen=True, slots=True)
class VlmFigures:
    """Figures over pictures; a share with nothing to count is None.

    Parameters
    ----------
    pictures, defects : how many there are
    readable : share of the answers that are JSON
    judgement : share of the pictures whose judgement is the label's
    defect_type : share of the defective ones whose type is the label's
    mean_best_iou : overlap of a labelled defect with the best box, 0 where there is none
    """

    pictures: int
    defects: int
    readable: float | None
    judgement: float | None
    defect_type: float | None
    mean_best_iou: float | None


def judge_vlm(
    predictor: VlmPredictor,
    examples: Iterable[Example],
    config: VlmConfig,
    language: Language = "en",
) -> VlmFigures:
    """Let a model answer on labelled pictures, and return how right it is.

    Parameters
    ----------
    config : the station's, with its prompts and limits
    language : of the prompts
    """
    scale = predictor.folder.family.scale
    prompts = Prompts(config, scale)
    limits = config.limits.as_trained(*predictor.folder.trained_pixels)
    readable: list[bool] = []
    judged: list[bool] = []
    typed: list[bool] = []
    best: list[float] = []
    for example in examples:
        prompt = prompts.of(example.modality, language)
        written = predictor.answer(
            example.image.pixels,
            prompt,
            limits,
            cancel=threading.Event(),
            on_text=lambda _: None,
        )
        frame = BoxFrame(scale, example.image.roi, written.input_size)
        answer = read_answer(
            written.text,
            modality=example.modality,
            frame=frame,
            battery_type=example.ref.battery_type,
            finished=written.finished,
        )
        readable.append(answer.form == "json")
        judged.append(answer.judgement == ("defect" if example.kinds else "normal"))
        # A type said of a normal picture is wrong already by its judgement.
        if example.kinds:
            typed.append(answer.defect_type == example.name)
            best += locate(answer.boxes, example.polygons()).best
    return VlmFigures(
        len(judged), len(typed), *(_mean(values) for values in (readable, judged, typed, best))
    )


def _mean(values: list[bool] | list[float]) -> float | None:
    return float(np.mean(values)) if values else None
