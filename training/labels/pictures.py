"""What labelling tools are told of an image, and what they tell, whatever form it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inspection.classes import class_table, squeezed
from inspection.errors import ConfigError
from inspection.messages import Message
from inspection.records import BatteryType, ImageRef, Modality
from training.labels.label_file import Outline

SizeOf = Callable[[str], tuple[int, int]]
"""Width and height of an image of a lot, by its name."""
IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A labelled image on its way out.

    Parameters
    ----------
    name : as in results: below its lot
    size : width and height in pixels
    name_of_class : of an image without defects its normal class
    """

    ref: ImageRef
    name: str
    size: tuple[int, int]
    name_of_class: str
    outlines: tuple[Outline, ...]


@dataclass(slots=True)
class Marked:
    """What a file says of an image.

    Parameters
    ----------
    outlines : named as the file names them, in pixels
    normal : class of an image that it says shows nothing wrong; None where it does not say so
    problem : why it cannot be used
    """

    outlines: list[Outline] = field(default_factory=list)
    normal: str | None = None
    problem: Message | None = None


def class_named(name: str, modality: Modality, battery_type: BatteryType | None) -> str | None:
    """Return the class that a tool's category stands for on an image.

    Parameters
    ----------
    name : of a class, or what label files call its kind
    battery_type : of the image, where that is known

    Returns
    -------
    str or None
        None where such an image cannot show it.

    Raises
    ------
    ConfigError
        If no class is called so.
    """
    table = class_table()
    row = table.rows.get(name)
    if row is not None and row.kind is not None:
        told = None not in (row.battery_type, battery_type)
        other = told and row.battery_type != battery_type
        return None if row.modality != modality or other else name
    kind = table.kind_of_label.get(squeezed(name))
    if kind is None:
        raise ConfigError("labels_class_unknown", name=name, known=", ".join(table.all_defects))
    return table.class_of(kind, modality, battery_type)


def named_normal(name: str | None) -> str | None:
    """Return the name of a class without defects; None where it is none, as of a tool's own key."""
    row = class_table().rows.get(name or "")
    return name if name == "normal" or (row is not None and row.kind is None) else None


def key_of(name: str) -> str:
    """Return an image's name without its ending, by which files beside images are called."""
    path = Path(name)
    # A plane of a volume is no file: ``volume.tif#z0123`` has no ending.
    return path.with_suffix("").as_posix() if path.suffix.lower() in IMAGE_ENDINGS else name


class ImageNames:
    """Images by what a file calls them: their place in the lot, or their bare name if it is one's.

    Parameters
    ----------
    names : of the lot's images
    """

    def __init__(self, names: Mapping[str, ImageRef]) -> None:
        self._by_key = {key_of(name): name for name in names}
        self._by_stem: dict[str, list[str]] = {}
        for key, name in self._by_key.items():
            self._by_stem.setdefault(key.rsplit("/", 1)[-1], []).append(name)

    def find(self, called: str) -> str | None:
        """Return the name of an image; None where there is none.

        Raises
        ------
        ConfigError
            If several are called so.
        """
        key = key_of(called.replace("\\", "/"))
        # As a tool has it that was given a folder within the lot, or one around it.
        while key:
            if key in self._by_key:
                return self._by_key[key]
            key = key.partition("/")[2]
        found = self._by_stem.get(key_of(called.replace("\\", "/")).rsplit("/", 1)[-1], [])
        if len(found) > 1:
            raise ConfigError("labels_image_ambiguous", image=called, count=len(found))
        return found[0] if found else None
