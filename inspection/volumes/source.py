"""What a format gives: its header, and boxes of its voxels; how fast is `stack.py`'s matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from inspection.errors import ImageError
from inspection.messages import Message
from inspection.volumes.greys import Greys
from inspection.volumes.stopping import go_on
from inspection.volumes.volume import VolumeInfo, Voxels


class Source(Protocol):
    """A volume's file or files, header read; its methods may be called from any thread."""

    @property
    def info(self) -> VolumeInfo:
        """What the header says."""
        ...

    @property
    def packed(self) -> bool:
        """Whether a row costs a whole plane, since it has to be unpacked."""
        ...

    def read(self, start: Sequence[int], stop: Sequence[int]) -> Voxels:
        """Return the voxels from ``start`` up to ``stop``, both (z, y, x).

        Raises
        ------
        ImageError
            If they are damaged or have gone.
        ReadingStopped
            If they are not wanted any more, which is looked at for each plane.
        """
        ...

    def close(self) -> None:
        """Forget what was unpacked; it is unpacked anew if it is asked for again."""
        ...


class Damage:
    """Remembers that a volume is damaged, so that not every plane is read up to there to find out.

    A file that is replaced is opened anew, and with it this.
    """

    def __init__(self) -> None:
        self._found: Message | None = None

    @contextmanager
    def told_again(self) -> Iterator[None]:
        """Raise what was raised here before, without the work; what may pass is tried again."""
        if self._found is not None:
            raise ImageError(self._found.code, **self._found.params)
        try:
            yield
        except ImageError as error:
            if error.message.code == "volume_damaged":
                self._found = error.message
            raise


class PlaneAt(NamedTuple):
    """Where a plane's first voxel lies."""

    path: Path
    offset: int


class StoredPlanes:
    """Planes that lie in files as they are, row by row.

    They are read, never mapped: a file that shrinks, or a share that fails, is an error that can be
    told, where a map ends the process.

    Parameters
    ----------
    places : one a plane, z from 0
    """

    packed = False

    def __init__(self, info: VolumeInfo, places: Sequence[PlaneAt], greys: Greys) -> None:
        self.info = info
        self.places = places
        self._greys = greys

    def read(self, start: Sequence[int], stop: Sequence[int]) -> Voxels:
        """Return the voxels from ``start`` up to ``stop``, both (z, y, x)."""
        (z0, y0, x0), (z1, y1, x1) = start, stop
        _, _, columns = self.info.shape
        stored = np.dtype(self._greys.stored)
        rows = np.empty((z1 - z0, y1 - y0, columns), stored)
        file, opened = None, None
        place = self.places[z0]
        try:
            for index in range(z1 - z0):
                go_on()
                place = self.places[z0 + index]
                if file is None or (place.path is not opened and place.path != opened):
                    if file is not None:
                        file.close()
                    file, opened = place.path.open("rb", buffering=0), place.path
                file.seek(place.offset + y0 * columns * stored.itemsize)
                into = memoryview(rows[index]).cast("B")
                while len(into):
                    count = file.readinto(into)
                    if not count:
                        raise ImageError("volume_cut", name=place.path.name)
                    into = into[count:]
        except FileNotFoundError as error:
            raise ImageError("image_missing", name=place.path.name) from error
        except OSError as error:
            problem = error.strerror or str(error)
            raise ImageError("image_unreadable", name=place.path.name, problem=problem) from error
        finally:
            if file is not None:
                file.close()
        return self._greys.values(rows[:, :, x0:x1])

    def close(self) -> None:
        """Forget nothing: every read opens its files."""
