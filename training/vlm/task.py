"""Training of a small VLM on labelled lots, from random weights to a folder the station loads."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from inspection.errors import ConfigError
from inspection.modelstore.installed import FolderSlot
from inspection.modelstore.vlm_folder import FAMILIES
from inspection.records import Modality
from inspection.systems.vlm.config import Prompts, load_vlm_config
from training.data.examples import (
    Example,
    augment,
    both_kinds,
    read_examples,
    reduced,
)
from training.loop.checkpoints import identity_of
from training.loop.config import LoopConfig
from training.loop.distributed import Processes
from training.loop.logging_config import LoggingConfig
from training.loop.loop import Judged, fit
from training.loop.optimisers import muon_groups
from training.loop.prefetch import prefetch
from training.loop.runs import Run, begin_run, digest_of, require_plain_run
from training.model_description import describe_folder
from training.vlm.config import DemoVlmConfig
from training.vlm.judge import Sums, mark
from training.vlm.lessons import (
    LANGUAGES,
    Lesson,
    LessonBatch,
    Teacher,
    cut_out,
    lesson_of,
)
from training.vlm.loss import VlmLoss
from training.vlm.network import build_network, load_folder, order_numbers, whiten, write_folder
from training.vlm.sight import SightBatch
from training.vlm.texts import CONFIDENCES
from training.vlm.tokenizer import learn_tokenizer, spelling

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter
    from transformers import Qwen2VLForConditionalGeneration

log = logging.getLogger(__name__)

SLOT: FolderSlot = "vlm"
FAMILY = "qwen2_vl"
IMAGINED, CUT_OUTS, LESSONS = range(3)
"""Phases of a training: the decoder alone, the vision tower alone, both."""
AT_ONCE = 16
"""Pictures that are looked at together where nothing is learnt."""
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
    require_plain_run(run)
    with begin_run(config, run) as processes:
        if processes.size > 1:
            raise ConfigError("one_process_only")
        pixels = config.architecture.max_pixels
        train, val = (read_examples(lots, pixels) for lots in (run.lots, run.validation))
        log.info("%s: %d pictures, %d to validate", config.run_name, len(train), len(val))
        prompts = Prompts(load_vlm_config(), FAMILIES[FAMILY].scale)
        questions = [prompts.of(m, language) for m in ("ct", "rgb") for language in LANGUAGES]
        tokenizer = learn_tokenizer(questions, config.architecture.vocabulary)
        teacher = Teacher(tokenizer, config.architecture, prompts)
        sides = Sides(train, val)
        network = build_network(config.architecture, tokenizer)
        order_numbers(network, list(teacher.numbers))
        tower = config.training.tower_from
        if run.init is not None:
            load_folder(network, tokenizer, run.init)
        if tower is not None:
            load_folder(network, tokenizer, tower, tower_only=True)
        elif run.init is None:
            whiten(network, (teacher.sight(part).patches for part in _some(sides, config)))
        task = VlmTask(config, network, teacher, sides, run, processes)
        images = [(e.ref.path, e.name) for e in (*train, *val)]
        identity = identity_of(
            config,
            **run.provenance(),
            init=None if run.init is None else run.init.resolve().name,
            prompts=prompts.identity,
            tokenizer=hashlib.sha256(spelling(tokenizer).encode("utf-8")).hexdigest(),
            images=digest_of(images),
        )
        fit(task, run.out, identity, processes, run.logging, resume=run.resume)
    return run.out / SLOT


def _some(sides: Sides, config: DemoVlmConfig) -> Iterator[list[Lesson]]:
    """Yield a few hundred whole pictures in small batches, in the shares of the training."""
    rng = np.random.default_rng([config.training.seed, 0])
    for _ in range(WHITENED_BATCHES):
        drawn = [sides.draw(config, rng) for _ in range(AT_ONCE)]
        yield [lesson_of(e, e.pixels, e.boxes, LANGUAGES[0]) for e in drawn]


class Sides:
    """The pictures of a training, in the groups that batches are drawn from.

    Raises
    ------
    ConfigError
        If there are no pictures of a kind, to learn from or to validate on.
    """

    def __init__(self, train: Sequence[Example], val: Sequence[Example]) -> None:
        if not both_kinds(val):
            raise ConfigError("val_examples_missing")
        if not both_kinds(e for e in train if e.modality == "ct"):
            raise ConfigError("examples_missing_ct")
        if not both_kinds(e for e in train if e.modality == "rgb"):
            raise ConfigError("examples_missing_rgb")
        self.val = val
        self.groups: dict[tuple[Modality, bool], list[Example]] = defaultdict(list)
        for example in train:
            self.groups[example.modality, example.is_defect].append(example)

    def draw(self, config: DemoVlmConfig, rng: np.random.Generator) -> Example:
        """Return a picture in the shares that the configuration asks for."""
        settings = config.training
        modality: Modality = "ct" if rng.random() < settings.ct_share else "rgb"
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
    """What the loop needs to know of a VLM; see `training.loop.loop.Task`."""

    columns: tuple[str, ...] = (
        "epoch", "train_loss", "val_loss", "val_sight", "val_judgement", "val_type", "val_iou",
    )  # fmt: skip

    def __init__(
        self,
        config: DemoVlmConfig,
        network: Qwen2VLForConditionalGeneration,
        teacher: Teacher,
        sides: Sides,
        run: Run,
        processes: Processes,
    ) -> None:
        self.config = config
        self.settings: LoopConfig = config.training
        self.run_name = config.run_name
        self.epochs = config.imagined.epochs + config.warmup.epochs + config.training.epochs
        if not config.training.tower:
            for part in (network.model.visual.patch_embed, network.model.visual.blocks):
                part.requires_grad_(False)
        self._loss = VlmLoss(network, config, teacher).to(processes.device)
        self.criterion: nn.Module = self._loss
        # The heads go into checkpoints with the network.
        self.model: nn.Module = self._loss
        self._network, self._teacher, self._sides, self._run = network, teacher, sides, run
        self._phase = LESSONS
        self._processes = processes

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the matrices of the hidden layers, and everything else."""
        ends = (
            "placed.",
            "measured.",
            "network.lm_head.",
            "network.model.language_model.embed_tokens.",
        )
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self.model.named_parameters():
            if not parameter.requires_grad:
                continue
            hidden = parameter.ndim == 2 and not name.startswith(ends)
            (matrices if hidden else others).append(parameter)
        return muon_groups(self.config.training, matrices, others)

    def batch_count(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        phases = (self.config.imagined, self.config.warmup, self.config.training)
        return phases[self._phase_of(epoch)].steps

    def batches(self, epoch: int) -> Iterator[LessonBatch | SightBatch]:
        """Yield an epoch's batches."""
        self._phase = self._phase_of(epoch)
        build = (self._imagined, self._cut_outs, self._lessons)[self._phase]
        steps = range(self.batch_count(epoch))
        return prefetch(partial(build, epoch), steps, self.settings.workers)

    def _phase_of(self, epoch: int) -> int:
        imagined = self.config.imagined.epochs
        return (epoch >= imagined) + (epoch >= imagined + self.config.warmup.epochs)

    def _imagined(self, epoch: int, step: int) -> LessonBatch:
        rng = np.random.default_rng([self.settings.seed, 1 + epoch, step])
        count, ct_share = self.config.imagined.batch_size, self.config.training.ct_share
        return self._teacher.imagined(count, ct_share, rng).to(self._processes.device)

    def _cut_outs(self, epoch: int, step: int) -> SightBatch:
        warmup = self.config.warmup
        lessons = []
        for example, rng in self._drawn(epoch, step, warmup.batch_size):
            # At the scale at which the network sees it.
            pixels = reduced(example.pixels, self.config.architecture.max_pixels)
            part = cut_out(replace(example, pixels=pixels), warmup.side, rng)
            pixels, boxes = augment(part, self.config.augmentation, rng)
            lessons.append(lesson_of(part, pixels, boxes, LANGUAGES[0]))
        share = self._processes.share(lessons)
        return self._teacher.sight(share, SMALLEST).to(self._processes.device)

    def _lessons(self, epoch: int, step: int) -> LessonBatch:
        lessons = []
        for example, rng in self._drawn(epoch, step, self.settings.batch_size):
            pixels, boxes = augment(example, self.config.augmentation, rng)
            lesson = lesson_of(example, pixels, boxes, LANGUAGES[int(rng.integers(2))])
            confidence = CONFIDENCES[int(rng.integers(len(CONFIDENCES)))]
            lessons.append(replace(lesson, confidence=confidence))
        return self._teacher.batch(self._processes.share(lessons)).to(self._processes.device)

    def _drawn(
        self, epoch: int, step: int, count: int
    ) -> Iterator[tuple[Example, np.random.Generator]]:
        # The whole batch is drawn by every process, which then takes its part of it.
        rng = np.random.default_rng([self.settings.seed, 1 + epoch, step])
        for _ in range(count):
            yield self._sides.draw(self.config, rng), rng

    def may_stop_after(self, epoch: int) -> bool:
        """Return whether all is being trained."""
        return self._phase_of(epoch) == LESSONS

    def judge(self) -> Judged:
        """Judge the answers to validation pictures, or to imagined ones; see `vlm_judge`."""
        self.model.eval()
        sums = Sums()
        for batch in self._judged():
            batch = batch.to(self._processes.device)
            with torch.inference_mode():
                told = self._loss.tell(batch)
                sums.loss += float(self._loss.loss_of(told, batch)) * len(batch.ids)
            sums.count += len(batch.ids)
            mark(sums, told, batch, self._teacher)
        figures = sums.figures()
        words = figures["val_judgement"] + figures["val_type"] + figures["val_iou"]
        # While the tower learns alone, what words hit upon is chance.
        rank = (self._phase, figures["val_sight"] if self._phase == CUT_OUTS else words)
        return Judged(figures["val_loss"], rank, figures, None)

    def _judged(self) -> Iterator[LessonBatch]:
        if self._phase == IMAGINED:
            rng = np.random.default_rng([self.settings.seed, 0])
            for _ in range(0, self.config.imagined.judged, AT_ONCE):
                yield self._teacher.imagined(AT_ONCE, self.config.training.ct_share, rng)
            return
        examples = self._sides.judged(self.config.training.judged)
        for start in range(0, len(examples), AT_ONCE):
            yield self._teacher.batch(
                [
                    lesson_of(e, e.pixels, e.boxes, LANGUAGES[(start + i) % 2])
                    for i, e in enumerate(examples[start : start + AT_ONCE])
                ]
            )

    def save(self, judged: Judged, rows: Sequence[Mapping[str, float]]) -> None:
        """Write the model folder."""
        write_folder(
            self._run.out / SLOT,
            self._network,
            self._teacher.tokenizer,
            self.config.architecture,
        )
        describe_folder(
            self._run.out / SLOT,
            SLOT,
            family=FAMILY,
            name=self.config.name,
            demo=self.config.demo,
            run=self._run,
        )

    def draw(
        self, writer: SummaryWriter, epoch: int, judged: Judged, config: LoggingConfig
    ) -> None:
        """Draw nothing: the figures say it all."""
