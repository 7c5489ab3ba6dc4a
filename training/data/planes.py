"""Planes of volumes are decoded volume by volume, before epochs ask for them in any order."""

from __future__ import annotations

from collections.abc import Sequence

from inspection.images.grey import GreyWindow
from inspection.images.preprocess import Preprocess
from inspection.records import ImageSource, Modality, Section
from training.data.image_cache import ImageCache
from training.data.prefetch import prefetch
from training.progress import progress_bar


def cache_planes(
    images: ImageCache,
    slices: Sequence[tuple[ImageSource, GreyWindow | None]],
    modality: Modality,
    spec: Preprocess,
    workers: int,
) -> None:
    """Have the cache hold the planes among some slices; does nothing where it keeps nothing.

    A volume is opened for one plane after the other in a fraction of the time that it takes to
    open another one for every plane.

    Parameters
    ----------
    slices : source and grey window, those of a volume together

    Raises
    ------
    ImageError
        If a plane cannot be read.
    """
    planes = [item for item in slices if isinstance(item[0], Section)]
    if not planes or images.max_bytes <= 0:
        return

    def read(item: tuple[ImageSource, GreyWindow | None]) -> None:
        source, window = item
        images.read(source, modality, spec, window)

    with progress_bar("planes") as advance:
        for done, _ in enumerate(prefetch(read, planes, workers), start=1):
            advance(done, len(planes))
