"""How a training run begins, whatever it trains: its folder, its processes, what it is made of."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from inspection.errors import ConfigError
from inspection.records import ImageSource, source_name
from training.data.split_files import SplitFiles
from training.loop.checkpoints import forget
from training.loop.config import LoggingConfig, TrainingFile, save_config
from training.loop.determinism import seed_everything
from training.loop.distributed import Processes, join_processes
from training.loop.run_folder import check_folder, folder_of_run


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What a training is asked to do.

    Parameters
    ----------
    out : folder of the run: ``config.yaml``, ``log.csv``, ``checkpoints/``, ``tensorboard/``, and
        the model folder in ``ct_cnn``, ``rgb_ae`` or ``ct_ae``
    data : lots to train on; with a split they may be left out
    val : lot to validate on, and to compute an autoencoder's threshold from; without it, batteries
        of `data` are held out
    split : which images are trained and validated on, instead of a split made here
    normal : `data` is one plain folder, and this its folder of normal images
    init : model folder to go on from; random or pretrained weights without it
    resume : go on after the last epoch that an interrupted run has finished
    force : a run that is in the folder already is kept aside, beside it
    logging : what is written down
    """

    out: Path
    data: tuple[Path, ...] = ()
    val: Path | None = None
    split: SplitFiles | None = None
    normal: str | None = None
    init: Path | None = None
    resume: bool = False
    force: bool = False
    logging: LoggingConfig = field(default_factory=LoggingConfig)

    @property
    def lots(self) -> list[Path]:
        """Lots that are trained on.

        Raises
        ------
        ConfigError
            If neither data nor a split is given.
        """
        lots = list(self.data) if self.split is None else list(self.split.lots.values())
        if not lots:
            raise ConfigError("no_data")
        return lots

    def provenance(self) -> dict[str, Any]:
        """Return what the bundle records of its data."""
        split = None if self.split is None else self.split.id
        return {"data": [path.resolve().name for path in self.lots], "split": split}


@contextmanager
def begin_run(config: TrainingFile, run: TrainingRun) -> Iterator[Processes]:
    """Join the processes, seed the generators, and open the run's folder.

    Raises
    ------
    ConfigError
        If the folder holds a run and this one neither resumes it nor is forced, or holds none to
        be resumed, or cannot be written to, or the processes cannot share a batch evenly.
    """
    settings = config.training
    with join_processes(settings.device) as processes:
        for size in config.batch_sizes:
            if size % processes.size or size // processes.size < 1:
                raise ConfigError("batch_not_shared", size=size, processes=processes.size)
        check_folder(run.out, resume=run.resume, force=run.force)
        if run.init is not None and run.force and _is_within(run.init, run.out):
            raise ConfigError("init_in_run", folder=str(run.out))
        processes.wait()
        if not processes.writes:
            logging.getLogger("training").setLevel(logging.WARNING)
        seed_everything(settings.seed)
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        # One opens the folder, and only when all have looked at it.
        with folder_of_run(run.out, resume=run.resume, writes=processes.writes):
            if processes.writes:
                if not run.resume:
                    forget(run.out)
                if not run.resume or not (run.out / "config.yaml").is_file():
                    save_config(config, run.out / "config.yaml")
            processes.wait()
            yield processes


def _is_within(folder: Path, above: Path) -> bool:
    return folder.resolve().is_relative_to(above.resolve())


def digest_of(images: Sequence[tuple[ImageSource, str]]) -> str:
    """Return a digest of images and their labels, by which a resumed run knows its data.

    Parameters
    ----------
    images : source and label; of its path only the name counts, for a lot may be moved
    """
    lines = "".join(f"{source_name(source)}\t{label}\n" for source, label in images)
    return hashlib.sha256(lines.encode()).hexdigest()
