"""What is kept of a battery's volume: what it is, and the defects in it with their sizes."""

from __future__ import annotations

from typing import Literal

from inspection.messages import Message
from inspection.record_base import Finite, Record, Score

SizeMeasure = Literal["length_mm", "area_mm2", "volume_mm3"]
SizeOutcome = Literal["accept", "review", "defect"]
Corner = tuple[int, int, int]


class BodySize(Record):
    """How large a body in a volume is.

    ``voxels`` is its volume, of which ``error`` is the uncertain share (one standard deviation);
    ``length`` its longest extent and ``area`` its largest area in one plane, in edges and faces of
    voxels. In millimetres where the file says how large a voxel is; a length is known to a voxel,
    ``edge_mm``.
    """

    voxels: Score
    error: Score
    length: Score
    area: Score
    length_mm: Score | None = None
    area_mm2: Score | None = None
    volume_mm3: Score | None = None
    edge_mm: Score | None = None

    def value(self, measure: SizeMeasure) -> tuple[float, float] | None:
        """Return a measure and its error; None where no voxel size is known."""
        value: float | None = getattr(self, measure)
        if value is None or self.edge_mm is None:
            return None
        return value, self.edge_mm if measure == "length_mm" else value * self.error


class DefectBody(Record):
    """A defect in a volume: where its voxels are, (z, y, x), and how large it is.

    ``start`` and ``stop`` are the box around it, ``place`` its most distinct voxel. Without a
    ``size`` they are where heat has found it, and ``problem`` says why there is none. ``outcome``
    is what the limits of its class say; None where they say nothing.
    """

    defect_type: str
    start: Corner
    stop: Corner
    place: Corner
    size: BodySize | None = None
    outcome: SizeOutcome | None = None
    problem: Message | None = None

    @property
    def told(self) -> Message:
        """Where it is and how large, in one line."""
        params: dict[str, str | int | float] = {
            axis: f"{first}–{past - 1}" if past - first > 1 else str(first)
            for axis, first, past in zip("zyx", self.start, self.stop, strict=True)
        }
        size = self.size
        if size is None:
            return Message(code="defect_size_none", params=params)
        params |= {"voxels": round(size.voxels), "percent": max(1, round(100 * size.error))}
        if size.length_mm is None or size.area_mm2 is None or size.volume_mm3 is None:
            params |= {"length": round(size.length, 1), "area": round(size.area)}
            return Message(code="defect_size_voxels", params=params)
        figures = {"length": size.length_mm, "area": size.area_mm2, "volume": size.volume_mm3}
        params |= {name: f"{value:.3g}" for name, value in figures.items()}
        return Message(code="defect_size_mm", params=params)


class VolumeSeen(Record):
    """The volume that a battery's slices are planes of: voxels and their edges, (z, y, x)."""

    shape: tuple[int, int, int]
    voxel_mm: tuple[Finite, Finite, Finite] | None = None
    format: str

    @property
    def told(self) -> Message:
        """What it is, in one line."""
        z, y, x = self.shape
        params: dict[str, str | int | float] = {"format": self.format, "size": f"{x} × {y} × {z}"}
        if self.voxel_mm is None:
            return Message(code="volume_seen_pixels", params=params)
        edges = " × ".join(f"{edge:.4g}" for edge in reversed(self.voxel_mm))
        return Message(code="volume_seen_mm", params=params | {"edges": edges})
