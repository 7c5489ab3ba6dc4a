"""What the label of an image says, in the form that figures are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection.classes import class_table
from inspection.errors import InspectionError
from inspection.lot.labels import class_of, read_label
from inspection.records import ImageRef


@dataclass(frozen=True, slots=True)
class ImageTruth:
    """What the label says of an image.

    Parameters
    ----------
    name : its class, or ``normal``, ``pollution``, ``damaged``; None where it is not known
    defects : names of its labelled defects
    polygons : where they are, (n, 2) float32 in source pixels
    visibility : how visible a synthetic defect was made
    labelled : whether there is a readable label, even one that contradicts itself
    """

    name: str | None = None
    defects: tuple[str, ...] = ()
    polygons: tuple[NDArray[np.float32], ...] = ()
    visibility: str | None = None
    labelled: bool = False

    @property
    def is_defect(self) -> bool:
        """True where a defect is labelled."""
        return class_table().is_defect(self.name)


def read_truth(ref: ImageRef) -> ImageTruth:
    """Return what an image's label says; nothing is known where it cannot be read."""
    if ref.label_path is None:
        return ImageTruth()
    try:
        label = read_label(ref.label_path)
    except InspectionError:
        # The intake has it among its findings; here it only means that nothing is known.
        return ImageTruth()
    return ImageTruth(
        class_of(label, ref.modality),
        tuple(defect.name for defect in label.defects),
        tuple(np.asarray(defect.points, np.float32) for defect in label.defects),
        labelled=True,
    )
