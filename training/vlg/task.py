"""Training of a small GroundingDINO, from lots to an installed model's folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.errors import ConfigError
from inspection.records import MODALITIES
from inspection.systems.vlg.config import load_vlg_config
from training.data.examples import Example, both_kinds, read_examples
from training.loop.checkpoints import identity_of
from training.loop.distributed import Processes
from training.loop.logging_config import LoggingConfig
from training.loop.loop import Judged, fit
from training.loop.optimisers import BY_MUON
from training.loop.precision import autocast, choose_dtype
from training.loop.runs import Run, begin_run, digest_of, require_plain_run
from training.model_description import describe_folder
from training.vlg.batches import Batch, pace, training_batches
from training.vlg.config import DemoVlgConfig
from training.vlg.judge import Judge
from training.vlg.loss import VlgLoss
from training.vlg.network import (
    build_network,
    build_tokenizer,
    hidden_matrices,
    read_weights,
    scaled,
    write_network,
)
from training.vlg.text import Captions

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter
    from transformers import BertTokenizerFast, GroundingDinoForObjectDetection

log = logging.getLogger(__name__)

SLOT = "vlg"
FAMILY = "grounding-dino"


def train_vlg(config: DemoVlgConfig, run: Run) -> Path:
    """Train on labelled lots and return the model folder of the best epoch.

    Parameters
    ----------
    config : ``demo_vlg.yaml``
    run : data and folder

    Raises
    ------
    ConfigError
        If there is no lot to validate on, no defect to learn from, or a checkpoint or the weights
        to start from cannot be used.
    TrainingInterrupted
        After Ctrl-C or SIGTERM.
    """
    require_plain_run(run)
    with begin_run(config, run) as processes:
        if processes.size > 1:
            raise ConfigError("one_process_only")
        examples = read_examples(run.lots, config.training.max_pixels)
        judged = read_examples(run.validation, config.training.max_pixels)
        if not both_kinds(e for e in examples if e.modality == "ct"):
            raise ConfigError("examples_missing_ct")
        if not both_kinds(e for e in examples if e.modality == "rgb"):
            raise ConfigError("examples_missing_rgb")
        if not both_kinds(judged):
            raise ConfigError("val_examples_missing")
        task = VlgTask(config, run, examples, judged, processes)
        images = [(e.ref.path, e.name) for e in (*examples, *judged)]
        init = None if run.init is None else run.init.resolve().name
        identity = identity_of(config, **run.provenance(), init=init, images=digest_of(images))
        log.info("%s: %d pictures, %d to validate", task.run_name, len(examples), len(judged))
        fit(task, run.out, identity, processes, run.logging, resume=run.resume)
    return run.out / SLOT


class VlgTask:
    """What the loop needs to know of a VLG; see `training.loop.loop.Task`."""

    columns = (
        "epoch", "train_loss", "val_f1", "val_recall", "val_false_boxes", "val_best_iou", "scale",
    )  # fmt: skip

    def __init__(
        self,
        config: DemoVlgConfig,
        run: Run,
        examples: Sequence[Example],
        judged: Sequence[Example],
        processes: Processes,
    ) -> None:
        self.config, self.settings = config, config.training
        self.run_name, self.epochs = config.run_name, config.training.epochs
        self._examples, self._out = examples, run.out
        self._run = run
        self._device = processes.device
        queries = load_vlg_config()
        phrases = [phrase for modality in MODALITIES for phrase in queries.phrases(modality)]
        self._tokenizer: BertTokenizerFast = build_tokenizer(phrases, config.network.max_tokens)
        self._captions = Captions(queries, self._tokenizer)
        sides = config.network.short_side, config.network.long_side
        self._limits = queries.limits.as_trained(*sides)
        self.model: GroundingDinoForObjectDetection = build_network(
            config.network, len(self._tokenizer)
        )
        if run.init is not None:
            read_weights(self.model, run.init)
        self.model.to(processes.device)
        self.criterion = VlgLoss(self.model, config.network, config.loss)
        self._judge = Judge(judged, queries, self._captions, self._limits, config.training)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return all parameters; Muon may take the matrices of hidden layers."""
        rates = self.settings
        matrices, others = hidden_matrices(self.model)
        if rates.optimiser != "muon":
            return [{"params": [*matrices, *others], "lr": rates.learning_rate}]
        return [
            {"params": matrices, "lr": rates.matrix_learning_rate, BY_MUON: True},
            {"params": others, "lr": rates.learning_rate},
        ]

    def batch_count(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        samples, size = pace(self.settings, epoch)
        return max(1, samples // size)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield an epoch's batches."""
        return training_batches(self._examples, self.config, self._captions, self._limits, epoch)

    def may_stop_after(self, epoch: int) -> bool:
        """Return True: every epoch counts."""
        return True

    def judge(self) -> Judged:
        """Judge the network by the station's own thresholds, at the scale that suits them best."""
        with autocast(self._device, choose_dtype(self.settings.precision, self._device)):
            found = self._judge.judge(self.model)
        figures = {
            "val_f1": found.f1,
            "val_recall": found.recall,
            "val_false_boxes": found.false_boxes,
            "val_best_iou": found.best_iou,
            "scale": found.scale,
        }
        return Judged(1 - found.f1, found.rank(self.settings.false_boxes), figures, found)

    def save(self, judged: Judged, rows: Sequence[dict[str, float]]) -> None:
        """Write the model's folder."""
        folder = self._out / SLOT
        model = scaled(self.model, judged.details.scale)
        write_network(folder, model, self._tokenizer, self.config.network)
        describe_folder(
            folder,
            SLOT,
            family=FAMILY,
            name=self.config.name,
            demo=self.config.demo,
            run=self._run,
        )

    def draw(
        self, writer: SummaryWriter, epoch: int, judged: Judged, config: LoggingConfig
    ) -> None:
        """Draw nothing: the figures say it."""
