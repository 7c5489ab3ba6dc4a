"""The training loop of every model, read from top to bottom: batches in, the best bundle out."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from inspection.errors import ConfigError
from training.loop.checkpoints import Checkpoints, Identity, LoopState
from training.loop.config import LoggingConfig, LoopConfig
from training.loop.distributed import Processes
from training.loop.interruption import TrainingInterrupted, stop_requests
from training.loop.precision import autocast, choose_dtype
from training.loop.run_log import RunLog

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)

STEPS_BETWEEN_LOOKS = 10
"""Steps after which several processes ask each other whether to stop."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What an epoch's network is worth.

    Parameters
    ----------
    loss : on the validation images; early stopping watches it
    rank : by which epochs are compared, higher is better, the first figure first
    figures : columns of the log beside ``epoch`` and ``train_loss``
    details : what the task needs to save and to draw
    """

    loss: float
    rank: tuple[float, ...]
    figures: dict[str, float]
    details: Any


class Task(Protocol):
    """What is trained: all in which one kind of model differs from another.

    Parameters
    ----------
    run_name : such as ``resnet18_lr1e-4_bs32_wd1e-4``
    columns : of ``log.csv``
    settings : of the loop
    epochs : in all
    model : what is trained
    criterion : holds the model; a batch in, its loss out
    """

    run_name: str
    columns: tuple[str, ...]
    settings: LoopConfig
    epochs: int
    model: nn.Module
    criterion: nn.Module

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the optimiser's groups, each with its ``params`` and ``lr``."""

    def batch_count(self, epoch: int) -> int:
        """Return the steps of an epoch, counted from 0."""

    def batches(self, epoch: int) -> Iterable[Any]:
        """Yield an epoch's batches, the same ones whenever asked."""

    def may_stop_after(self, epoch: int) -> bool:
        """Return whether early stopping counts this epoch."""

    def judge(self) -> Judged:
        """Judge the network on the validation images."""

    def save(self, judged: Judged, rows: Sequence[dict[str, float]]) -> None:
        """Write the bundle of the present network."""

    def draw(
        self, writer: SummaryWriter, epoch: int, judged: Judged, config: LoggingConfig
    ) -> None:
        """Send pictures and histograms of an epoch, counted from 1, to TensorBoard."""


def fit(
    task: Task,
    run: Path,
    identity: Identity,
    processes: Processes,
    logging_config: LoggingConfig,
    *,
    resume: bool,
) -> None:
    """Train; the bundle is written whenever an epoch is better than those before.

    Parameters
    ----------
    task : what is trained, its model on its device
    run : folder of the run
    identity : what the run is made of; a checkpoint of anything else is refused
    processes : that train together
    logging_config : what is written beside bundle and checkpoints
    resume : go on after the last finished epoch, where there is one

    Raises
    ------
    ConfigError
        If the checkpoint cannot be used, or the loss is no number any more.
    TrainingInterrupted
        After Ctrl-C or SIGTERM; the epoch begun is lost, nothing before it.
    """
    settings, device = task.settings, processes.device
    dtype = choose_dtype(settings.precision, device)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.optimiser]
    optimiser = kind(task.parameter_groups(), weight_decay=settings.weight_decay, fused=True)
    # Keeps float16 gradients from vanishing; it does nothing in other formats.
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    parts: dict[str, Any] = {"model": task.model, "optimiser": optimiser, "scaler": scaler}
    schedule = None
    if settings.schedule == "one_cycle":
        steps = sum(task.batch_count(epoch) for epoch in range(task.epochs))
        schedule = parts["schedule"] = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            max_lr=[group["lr"] for group in optimiser.param_groups],
            total_steps=max(steps, 1),
            pct_start=settings.rise_share,
        )
    checkpoints = Checkpoints(run, identity, parts)
    state = checkpoints.load() if resume else LoopState()
    network = processes.parallel(task.criterion)

    with (
        stop_requests() as stop,
        RunLog(
            run,
            task.run_name,
            task.columns,
            logging_config,
            writes=processes.writes,
            epochs_done=state.epoch,
        ) as run_log,
    ):
        run_log.write(state.rows)
        while not state.finished:
            epoch, count = state.epoch, task.batch_count(state.epoch)
            started = time.monotonic()
            losses: list[Tensor] = []
            task.model.train()
            title = f"epoch {epoch + 1}/{task.epochs}"
            for batch in run_log.steps(title, task.batches(epoch), count, losses):
                with autocast(device, dtype):
                    loss = network(batch)
                optimiser.zero_grad(set_to_none=True)
                scaler.scale(loss).backward()
                if settings.gradient_clip is not None:
                    scaler.unscale_(optimiser)
                    nn.utils.clip_grad_norm_(task.model.parameters(), settings.gradient_clip)
                scaler.step(optimiser)
                scaler.update()
                if schedule is not None:
                    schedule.step()
                losses.append(loss.detach())
                _stop_if_asked(stop.is_set(), processes, len(losses), state.epoch)

            train_loss = processes.mean(float(torch.stack(losses).mean()))
            if not math.isfinite(train_loss):
                raise ConfigError("training_diverged", epoch=epoch + 1)
            judged = task.judge()
            row = {"epoch": epoch + 1, "train_loss": train_loss, **judged.figures}
            state.epoch = epoch + 1
            state.rows.append(row)
            better = state.best_rank is None or list(judged.rank) > state.best_rank
            if better:
                state.best_rank = list(judged.rank)
            if task.may_stop_after(epoch):
                falls = judged.loss < state.lowest_loss - settings.early_stopping.min_delta
                state.stale_epochs = 0 if falls else state.stale_epochs + 1
                state.lowest_loss = judged.loss if falls else state.lowest_loss
            stale = state.stale_epochs >= settings.early_stopping.patience
            state.finished = stale or state.epoch >= task.epochs

            if processes.writes:
                # In this order: a crash in between repeats the epoch, which gives the same again.
                if better:
                    task.save(judged, state.rows)
                checkpoints.save(state, best=better)
                run_log.write(state.rows)
                with run_log.board():
                    run_log.scalars(row, lr=optimiser.param_groups[0]["lr"])
                    if run_log.writer is not None:
                        task.draw(run_log.writer, state.epoch, judged, logging_config)
                figures = ", ".join(f"{k} {v:.4f}" for k, v in row.items() if k != "epoch")
                seconds = time.monotonic() - started
                note = ", the best so far" if better else ""
                log.info("epoch %d: %s, %.0f s%s", epoch + 1, figures, seconds, note)
                if stale:
                    log.info("stopped early: no better validation loss")
            processes.wait()
            if not state.finished:
                _stop_if_asked(stop.is_set(), processes, 0, state.epoch)


def _stop_if_asked(asked: bool, processes: Processes, step: int, epochs: int) -> None:
    """End the run where Ctrl-C or SIGTERM asked for it, in all processes at the same step."""
    if processes.size > 1:
        # Asking at every step would slow down a GPU.
        asked = step % STEPS_BETWEEN_LOOKS == 0 and processes.any(asked)
    if asked:
        raise TrainingInterrupted(epochs)
