"""Which images a detector learns from, and which it is checked on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inspection.errors import ConfigError
from inspection.images.grey import GreyLevels
from inspection.modelstore.bundle import Bundle
from inspection.records import Modality
from training.autoencoder.config import FolderConfig
from training.autoencoder.folders import hold_out, read_folder
from training.autoencoder.views import View, read_lots, split_by_battery
from training.data.stack_windows import find_windows
from training.loop.runs import TrainingRun


@dataclass(frozen=True, slots=True)
class Sides:
    """The images of a training.

    Parameters
    ----------
    train, held : normal ones to learn from, and to stop early by
    judged : those whose scores give the threshold
    source : what they are, for the record
    test : normal ones of a plain folder that a later evaluation is made on
    """

    train: list[View]
    held: list[View]
    judged: list[View]
    source: str
    test: list[View]


def read_sides(
    run: TrainingRun, modality: Modality, folder: FolderConfig, share: float, seed: int
) -> Sides:
    """Return the images of a run.

    Parameters
    ----------
    folder : what a plain folder keeps for test
    share, seed : of the batteries that are held out of the normal ones

    Raises
    ------
    ConfigError
        If there are no normal images of at least two batteries.
    """
    # Early stopping looks at normal images; the threshold may look at labelled defects too.
    test: list[View] = []
    if run.normal is not None:
        views, test = hold_out(read_folder(run.lots[0], run.normal), folder)
        train, held = split_by_battery(views, share, seed)
        judged, source = held, f"held-out images of {run.lots[0].resolve().name}/{run.normal}"
    elif run.split is not None:
        views = read_lots(run.lots, modality)
        parts = [run.split.sources(part, modality) for part in ("train", "val")]
        train, judged = ([v for v in views if v.ref.source in part] for part in parts)
        train, held = ([v for v in part if not v.is_defect] for part in (train, judged))
        source = "validation part of the split"
    else:
        views = [v for v in read_lots(run.lots, modality) if not v.is_defect]
        train, held = split_by_battery(views, share, seed)
        judged, source = held, "held-out normal batteries of the training lot"
    if run.val is not None:
        judged = read_lots([run.val], modality)
        source = f"labelled views of lot {run.val.resolve().name}"
    if not train or not held:
        found = len({view.battery for view in (*train, *held)})
        raise ConfigError("ae_no_normals", lot=", ".join(p.name for p in run.lots), found=found)
    return Sides(train, held, judged, source, test)


def in_windows(
    sides: Sides, modality: Modality, start: Bundle | None
) -> tuple[Sides, GreyLevels | None]:
    """Return CT slices with the windows of their stacks, as the station judges them.

    Parameters
    ----------
    start : the model that the training goes on from, whose grey levels hold
    """
    if modality != "ct":
        return sides, None
    views = (*sides.train, *sides.held, *sides.judged)
    taught = {view.battery for view in sides.train}
    windows, levels = find_windows([(v.battery, v.ref) for v in views], taught, start)
    train, held, judged = (
        [replace(view, window=windows[view.battery]) for view in part]
        for part in (sides.train, sides.held, sides.judged)
    )
    return replace(sides, train=train, held=held, judged=judged), levels
