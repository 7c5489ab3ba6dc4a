"""Training of a small VLM on labelled lots, from random weights to a folder the station loads."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from inspection.config import load_classes
from inspection.errors import ConfigError
from inspection.model_store import FolderSlot
from inspection.vlm_config import Prompts, load_vlm_config
from training.checkpoints import identity_of
from training.config import LoopConfig
from training.distributed import Processes
from training.examples import Example, augment, read_examples
from training.installing import describe_folder
from training.logging_config import LoggingConfig
from training.loop import Judged, fit
from training.optimisers import BY_MUON
from training.prefetch import prefetch
from training.runs import Run, begin_run, digest_of
from training.vlm_config import MERGE, DemoVlmConfig
from training.vlm_lessons import (
    COORDINATE,
    LANGUAGES,
    VERDICT,
    Lesson,
    LessonBatch,
    SightBatch,
    Teacher,
    cut_out,
    lesson_of,
)
from training.vlm_loss import Told, VlmLoss
from training.vlm_network import build_network, load_folder, whiten, write_folder
from training.vlm_texts import texts_for_tokenizer
from training.vlm_tokenizer import learn_tokenizer

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)

SLOT: FolderSlot = "vlm"
JUDGED_AT_ONCE = 16
WHITENED_BATCHES = 16
SMALLEST = 28 * 28
"""Pixels of a picture below which the image processor would enlarge a cut-out."""


def train_vlm(config: DemoVlmConfig, run: Run) -> Path:
    """Train, and return the model folder of the best epoch.

    Parameters
    ----------
    config : ``demo_vlm.yaml``
    run : data and folder; a lot to validate on is needed

    Raises
    ------
    ConfigError
        If the lots lack normal or defective pictures, or a checkpoint cannot be used.
    TrainingInterrupted
        After Ctrl-C or SIGTERM.
    """
    if run.val is None:
        raise ConfigError("val_needed")
    with begin_run(config, run) as processes:
        pixels = config.architecture.max_pixels
        train, val = read_examples(run.lots, pixels), read_examples([run.val], pixels)
        log.info("%s: %d pictures, %d to validate", config.run_name, len(train), len(val))
        prompts = Prompts(load_vlm_config(), "token_thousandths", load_classes())
        questions = [prompts.of(m, language) for m in ("ct", "rgb") for language in LANGUAGES]
        tokenizer = learn_tokenizer(texts_for_tokenizer(questions), config.architecture.vocabulary)
        teacher = Teacher(tokenizer, config.architecture, prompts)
        sides = Sides(train, val)
        network = build_network(config.architecture, tokenizer)
        if run.init is None:
            whiten(network, [teacher.sight(part).patches for part in _some(sides, config)])
        else:
            load_folder(network, run.init)
        lots = [folder.resolve().name for folder in run.lots]
        task = VlmTask(config, network, teacher, sides, run.out, lots, processes)
        images = [(e.ref.path, e.name) for e in (*train, *val)]
        identity = identity_of(
            config, **run.provenance(), prompts=prompts.identity, images=digest_of(images)
        )
        fit(task, run.out, identity, processes, run.logging, resume=run.resume)
    return run.out / SLOT


def _some(sides: Sides, config: DemoVlmConfig) -> Iterator[list[Lesson]]:
    """Yield a few hundred pictures in small batches, drawn as in training."""
    rng = np.random.default_rng([config.training.seed, 0])
    for _ in range(WHITENED_BATCHES):
        drawn = [sides.draw(config, rng) for _ in range(JUDGED_AT_ONCE)]
        yield [lesson_of(e, e.pixels, e.boxes, LANGUAGES[0]) for e in drawn]


class Sides:
    """The pictures of a training, in the groups that batches are drawn from.

    Raises
    ------
    ConfigError
        If a group is empty.
    """

    def __init__(self, train: Sequence[Example], val: Sequence[Example]) -> None:
        self.val = val
        self.groups = {
            (modality, is_defect): [
                e for e in train if (e.modality, e.is_defect) == (modality, is_defect)
            ]
            for modality in ("ct", "rgb")
            for is_defect in (False, True)
        }
        for (modality, is_defect), group in self.groups.items():
            if not group:
                what = "defective" if is_defect else "normal"
                raise ConfigError("examples_missing", what=f"{what} {modality.upper()}")

    def draw(self, config: DemoVlmConfig, rng: np.random.Generator) -> Example:
        """Return a picture in the shares that the configuration asks for."""
        settings = config.training
        modality = "ct" if rng.random() < settings.ct_share else "rgb"
        group = self.groups[modality, bool(rng.random() < settings.defect_share)]
        return group[int(rng.integers(len(group)))]

    def judged(self, count: int) -> list[Example]:
        """Return evenly spaced validation pictures, half of them with a defect."""
        chosen: list[Example] = []
        for is_defect in (True, False):
            of_kind = [e for e in self.val if e.is_defect == is_defect]
            wanted = min(count // 2, len(of_kind))
            chosen += [of_kind[i * len(of_kind) // wanted] for i in range(wanted)]
        return chosen


class VlmTask:
    """What the loop needs to know of a VLM; see `training.loop.Task`."""

    columns: tuple[str, ...] = (
        "epoch", "train_loss", "val_loss", "val_sight", "val_judgement", "val_type", "val_iou",
    )  # fmt: skip

    def __init__(
        self,
        config: DemoVlmConfig,
        network: Any,
        teacher: Teacher,
        sides: Sides,
        out: Path,
        lots: Sequence[str],
        processes: Processes,
    ) -> None:
        self.config = config
        self.settings: LoopConfig = config.training
        self.run_name = config.run_name
        self.epochs = config.warmup.epochs + config.training.epochs
        self._loss = VlmLoss(network, config, teacher).to(processes.device)
        self.criterion: nn.Module = self._loss
        # The heads go into checkpoints with the network.
        self.model: nn.Module = self._loss
        self._network, self._teacher, self._sides, self._out = network, teacher, sides, out
        self._lots = lots
        self._warming_up = False
        self._processes = processes

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the matrices of the hidden layers, and everything else."""
        rates = self.config.training
        ends = ("embed_tokens", "lm_head", "seen", "placed")
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self.model.named_parameters():
            hidden = parameter.ndim == 2 and not any(end in name for end in ends)
            (matrices if hidden else others).append(parameter)
        if rates.optimiser != "muon":
            return [{"params": [*matrices, *others], "lr": rates.learning_rate}]
        return [
            {"params": matrices, "lr": rates.matrix_learning_rate, BY_MUON: True},
            {"params": others, "lr": rates.learning_rate},
        ]

    def batch_count(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        warm = epoch < self.config.warmup.epochs
        return self.config.warmup.steps if warm else self.config.training.steps

    def batches(self, epoch: int) -> Iterator[LessonBatch | SightBatch]:
        """Yield an epoch's batches."""
        self._warming_up = epoch < self.config.warmup.epochs
        build = self._cut_outs if self._warming_up else self._lessons
        steps = range(self.batch_count(epoch))
        return prefetch(partial(build, epoch), steps, self.settings.workers)

    def _cut_outs(self, epoch: int, step: int) -> SightBatch:
        warmup = self.config.warmup
        lessons = []
        for example, rng in self._drawn(epoch, step, warmup.batch_size):
            part = cut_out(example, warmup.side, rng)
            pixels, boxes = augment(part, self.config.augmentation, rng)
            lessons.append(lesson_of(part, pixels, boxes, LANGUAGES[0]))
        share = self._processes.share(lessons)
        return self._teacher.sight(share, SMALLEST).to(self._processes.device)

    def _lessons(self, epoch: int, step: int) -> LessonBatch:
        lessons = []
        for example, rng in self._drawn(epoch, step, self.settings.batch_size):
            pixels, boxes = augment(example, self.config.augmentation, rng)
            lessons.append(lesson_of(example, pixels, boxes, LANGUAGES[int(rng.integers(2))]))
        return self._teacher.batch(self._processes.share(lessons)).to(self._processes.device)

    def _drawn(
        self, epoch: int, step: int, count: int
    ) -> Iterator[tuple[Example, np.random.Generator]]:
        # The whole batch is drawn by every process, which then takes its part of it.
        rng = np.random.default_rng([self.settings.seed, 1 + epoch, step])
        for _ in range(count):
            yield self._sides.draw(self.config, rng), rng

    def may_stop_after(self, epoch: int) -> bool:
        """Return whether the decoder is being trained."""
        return epoch >= self.config.warmup.epochs

    def judge(self) -> Judged:
        """Judge the answers to validation pictures, read off one token after another."""
        self.model.eval()
        sums = Sums()
        examples = self._sides.judged(self.config.training.judged)
        for start in range(0, len(examples), JUDGED_AT_ONCE):
            part = examples[start : start + JUDGED_AT_ONCE]
            lessons = [
                lesson_of(e, e.pixels, e.boxes, LANGUAGES[(start + i) % 2])
                for i, e in enumerate(part)
            ]
            batch = self._teacher.batch(lessons).to(self._processes.device)
            with torch.inference_mode():
                told = self._loss.tell(batch)
                sums.loss += float(self._loss.loss_of(told, batch)) * len(part)
            sums.count += len(part)
            _mark(sums, told, batch, self._teacher)
        figures = sums.figures()
        words = figures["val_judgement"] + figures["val_type"] + figures["val_iou"]
        if self._warming_up:
            words = 0.0  # what the untaught decoder hits upon is chance
        rank = (words, figures["val_sight"])
        return Judged(figures["val_loss"], rank, figures, None)

    def save(self, judged: Judged, rows: Sequence[Mapping[str, float]]) -> None:
        """Write the model folder."""
        write_folder(
            self._out / SLOT,
            self._network,
            self._teacher.tokenizer,
            self.config.architecture,
        )
        describe_folder(
            self._out / SLOT,
            SLOT,
            family="qwen2_vl",
            name=self.config.name,
            demo=self.config.demo,
            lots=self._lots,
        )

    def draw(
        self, writer: SummaryWriter, epoch: int, judged: Judged, config: LoggingConfig
    ) -> None:
        """Draw nothing: the figures say it all."""


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


def _mark(sums: Sums, told: Told, batch: LessonBatch, teacher: Teacher) -> None:
    """Count what is right in the answers to a batch."""
    said = told.logits.argmax(dim=1)
    numbers = torch.tensor(list(teacher.numbers), device=said.device)
    sums.seen += _seen_rightly(told, batch.sight)
    for row in range(len(batch.ids)):
        own = batch.rows == row
        verdict = own & (batch.parts == VERDICT)
        right = (said == batch.targets)[verdict]
        sums.right += int(right[0])
        wanted = batch.targets[own & (batch.parts == COORDINATE)][:4]
        if len(wanted) < 4:
            continue
        sums.defects += 1
        sums.types += int(right[1])
        logits = told.logits[own & (batch.parts == COORDINATE)][:4]
        corners = numbers[logits[:, numbers].argmax(dim=1)]
        sums.overlap += _overlap(
            [teacher.numbers[int(t)] for t in corners], [teacher.numbers[int(t)] for t in wanted]
        )


def _seen_rightly(told: Told, sight: SightBatch) -> int:
    """Return of how many pictures the vision tower knows whether there is a defect."""
    ends = (sight.grids.prod(dim=1) // MERGE**2).cumsum(dim=0).tolist()[:-1]
    found = [bool((kinds > 0).any()) for kinds in told.seen[0].tensor_split(ends)]
    there = [bool(kinds.any()) for kinds in sight.kinds.tensor_split(ends)]
    return sum(f == t for f, t in zip(found, there, strict=True))


def _overlap(first: Sequence[int], second: Sequence[int]) -> float:
    """Return intersection over union of two boxes as they are written."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    areas = [max(b[2] - b[0], 0) * max(b[3] - b[1], 0) for b in (first, second)]
    return shared / max(sum(areas) - shared, 1)
