"""A cube of 16-bit voxels, written as scanners do, for the benchmarks that read volumes."""

from __future__ import annotations

import platform
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

from inspection.records import VolumeRef
from inspection.synthetic.volume_files import WRITERS, WholeVolume, write_raw
from inspection.volumes.finding import volumes_in

EDGE_MM = 0.02


def planes_of_cube(side: int, depth: int | None = None) -> Iterator[np.ndarray]:
    """Yield a cylinder with winding layers and noise, plane by plane: ``depth``, or a cube's."""
    rows, columns = np.ogrid[:side, :side]
    radius = np.hypot(rows - side / 2, columns - side / 2)
    layers = np.where(radius < side * 0.45, 30_000 + 8_000 * np.sin(radius / 3), 2_000)
    noise = np.random.default_rng(1).normal(0, 400, (side + 64, side)).astype(np.float32)
    for number in range(depth or side):
        plane = layers + noise[number % 64 : number % 64 + side]
        yield np.clip(plane, 0, 65_535).astype(np.uint16)


def write_deflated(folder: Path, volume: WholeVolume) -> None:
    """Write ``volume.tif``, a BigTIFF of deflated pages."""
    tifffile.imwrite(
        folder / "volume.tif",
        volume.planes,
        shape=volume.shape,
        dtype=volume.dtype,
        photometric="minisblack",
        compression="zlib",
        compressionargs={"level": 1},
        bigtiff=True,
    )


def write_hollow(folder: Path, volume: WholeVolume) -> None:
    """Write ``volume.raw`` and its header; all but the middle is zeros that take no room."""
    depth, height, width = volume.shape
    write_raw(folder, volume._replace(planes=iter(())))
    plane = height * width * np.dtype(volume.dtype).itemsize
    with (folder / "volume.raw").open("r+b") as data:
        data.truncate(depth * plane)
        for number in range(depth * 35 // 100, depth * 65 // 100):
            data.seek(number * plane)
            data.write(next(volume.planes).tobytes())


KINDS = WRITERS | {"tiff-deflate": write_deflated}
SPARE = KINDS | {"hollow-raw": write_hollow}
"""Also one that is too large for most disks otherwise."""


def write_cube(kind: str, folder: Path, side: int, depth: int | None = None) -> VolumeRef:
    """Write a cube, unless it is there from before, and find it as a scan does."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        planes = planes_of_cube(side, depth)
        SPARE[kind](folder, WholeVolume((depth or side, side, side), planes, "16", EDGE_MM))
    (found,) = volumes_in(folder, sorted(path.name for path in folder.iterdir()))
    return found.ref


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((li.partition(":")[2].strip() for li in lines if li.startswith("model name")), "")


def peak_mib() -> int:
    """Return the largest resident memory that this process has had, of it alone."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) >> 10
    except (OSError, ValueError, IndexError):
        # Elsewhere; on Linux it would count the parent's as well.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
