"""Labelled pictures as batches that a GroundingDINO learns from: what to find, and as which words.

Pictures and captions are made by the station's own predictor, so that training and inspection see
the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_convert

from inspection.classes import class_table
from inspection.systems.vlg.config import VlgConfig
from inspection.systems.vlg.model import VlgPredictor
from training.data.examples import Example


@dataclass(frozen=True, slots=True)
class Target:
    """What a caption asks for that is in a picture.

    Parameters
    ----------
    boxes : (n, 4) float32, centre x, centre y, width and height as shares of the picture
    tokens : (n, T) bool, which tokens of the caption each answers to
    """

    boxes: Tensor
    tokens: Tensor


@dataclass(frozen=True, slots=True)
class Question:
    """A picture and one caption; a model with little room for words is asked in several.

    Parameters
    ----------
    pixels : (1, 3, H, W) float32, normalised
    caption : phrases, as the station asks for them
    target : what is to be found
    """

    pixels: Tensor
    caption: str
    target: Target


def questions_of(
    example: Example,
    predictor: VlgPredictor,
    config: VlgConfig,
    phrases: Sequence[str] | None = None,
) -> list[Question]:
    """Return what a picture is asked, and the right answers.

    Parameters
    ----------
    predictor : the station's, around the model that learns
    config : the station's, with its phrases and limits
    phrases : what to ask for, by default all that the station does for the modality. What is
        there and not asked for is no target: that it is asked by name is learnt from it too.
    """
    limits = config.limits.as_trained(*predictor.folder.trained_sides)
    pixels = predictor.prepare(example.image.pixels, limits)
    # By the battery: a cell has no resin to overflow, so the phrase stands for nothing there.
    types = config.defect_types(example.modality, example.ref.battery_type)
    kinds = {phrase: class_table().rows[name].kind for phrase, name in types.items()}
    asked = tuple(config.phrases(example.modality) if phrases is None else phrases)
    questions: list[Question] = []
    for caption, spans in predictor.captions_of(asked):
        length = 1 + max((token for span in spans.values() for token in span), default=0)
        named = [
            # Every phrase that stands for the kind: a pore answers to "void" as well.
            [t for phrase in spans if kinds.get(phrase) == kind for t in spans[phrase]]
            for kind in example.kinds
        ]
        there = [number for number, found in enumerate(named) if found]
        corners = torch.from_numpy(example.boxes[there])
        tokens = torch.zeros(len(there), length, dtype=torch.bool)
        for row, number in zip(tokens, there, strict=True):
            row[named[number]] = True
        target = Target(box_convert(corners, "xyxy", "cxcywh"), tokens)
        questions.append(Question(pixels, caption, target))
    return questions
