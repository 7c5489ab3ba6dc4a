"""How right a VLM is about pictures whose answer is known, without letting it write.

Every token is asked for with the right answer up to it in front, which is one pass for a whole
batch. The figures are therefore somewhat better than those of answers that the network writes by
itself; they compare the epochs of a training. The judgement is the same either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.vlm.config import MERGE
from training.vlm.lessons import COORDINATE, VERDICT, LessonBatch, Teacher
from training.vlm.loss import Told
from training.vlm.sight import KINDS


@dataclass(slots=True)
class Sums:
    """Counts over validation pictures.

    Parameters
    ----------
    seen : pictures of which the vision tower's tokens say rightly whether there is a defect
    right : pictures whose judgement is right
    types, overlap : of defective pictures, those whose type is right; their boxes' summed overlap
    """

    loss: float = 0.0
    count: int = 0
    seen: int = 0
    right: int = 0
    defects: int = 0
    types: int = 0
    overlap: float = 0.0

    def figures(self) -> dict[str, float]:
        """Return the columns of the log."""
        defects = max(self.defects, 1)
        return {
            "val_loss": self.loss / max(self.count, 1),
            "val_sight": self.seen / max(self.count, 1),
            "val_judgement": self.right / max(self.count, 1),
            "val_type": self.types / defects,
            "val_iou": self.overlap / defects,
        }


def mark(sums: Sums, told: Told, batch: LessonBatch, teacher: Teacher) -> None:
    """Count what is right in the answers to a batch."""
    said = told.logits.argmax(dim=1)
    numbers = torch.tensor(list(teacher.numbers), device=said.device)
    seen = _seen(told, batch)
    for row in range(len(batch.ids)):
        own = batch.rows == row
        verdict = own & (batch.parts == VERDICT)
        right = (said == batch.targets)[verdict]
        sums.right += int(right[0])
        defective = int(batch.targets[verdict][0]) == teacher.defect
        sums.seen += int(seen[row] == defective)
        if not defective:
            continue
        sums.defects += 1
        sums.types += int(right[1])
        wanted = batch.targets[own & (batch.parts == COORDINATE)][:4]
        if len(wanted) < 4:
            continue
        logits = told.logits[own & (batch.parts == COORDINATE)][:4]
        corners = numbers[logits[:, numbers].argmax(dim=1)]
        sums.overlap += _overlap(
            [teacher.numbers[int(t)] for t in corners], [teacher.numbers[int(t)] for t in wanted]
        )


def _seen(told: Told, batch: LessonBatch) -> list[bool]:
    """Return for each picture whether the vision tower sees a defect on any token."""
    ends = (batch.sight.grids.prod(dim=1) // MERGE**2).cumsum(dim=0).tolist()[:-1]
    on_defect = (told.seen[0][:, : len(KINDS)] > 0).any(dim=1)
    return [bool(tokens.any()) for tokens in on_defect.tensor_split(ends)]


def _overlap(first: Sequence[int], second: Sequence[int]) -> float:
    """Return intersection over union of two boxes as they are written."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    areas = [max(b[2] - b[0], 0) * max(b[3] - b[1], 0) for b in (first, second)]
    return shared / max(sum(areas) - shared, 1)
