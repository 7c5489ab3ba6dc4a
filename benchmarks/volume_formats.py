"""What each way to write a volume costs: the first picture, memory, slices on their way to a model.

A cube of 16-bit voxels is written as raw data with a header, as a TIFF stack, as one of deflated
pages and as a DICOM series. Each is read in a process of its own. Told are

- seconds to the first picture: from its name to the middle plane in 8 bits, the reader's import
  included; with its files dropped from the page cache (where the system lets a program do so) and
  in it;
- slices a second as a lane takes them: plane, stored values, window, content, the CT model's input,
  in the engine's threads; along each axis, what is laid out in the scratch folder included;
- the same against JPEG slices of the same planes, read in the same run, and once more by the time
  of a core that a slice takes, which other programs on the computer do not change;
- the largest memory of the process: resident, libraries included. Volumes are read, never mapped,
  so no page of a file counts in it, nor of the page cache, which the system takes back at will.

::

    python benchmarks/volume_formats.py --side 1000 --folder /tmp/volumes
    python benchmarks/volume_formats.py --side 300 --every 2
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
from cube import KINDS, peak_mib, processor, write_cube

from inspection.images.decode_ahead import DecodeAhead, Decoded, Wanted
from inspection.images.display import own_window
from inspection.images.stack_grey import GreyPolicy, StackWindow
from inspection.modelstore.bundle import find_bundle
from inspection.modelstore.folders import ModelFolders
from inspection.paths import resource_path
from inspection.records import ImageRef, Section, VolumeRef
from inspection.volumes.opening import close_volumes, open_volume, volume_files
from inspection.volumes.planes import AXES

WINDOW = (1_000, 40_000)
"""Grey values that become black and white: what a lane finds out of six planes, once a battery."""
JPEG_PLANES = 60
"""Of each axis that are written as JPEG."""


def drop_from_cache(files: Sequence[Path]) -> bool:
    """Have the disk asked for files anew; return False where that cannot be had."""
    if not hasattr(os, "posix_fadvise"):
        return False
    os.sync()
    for file in files:
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def first_picture(ref: VolumeRef) -> float:
    """Return the seconds from a name to a plane that can be painted."""
    close_volumes()
    begun = time.perf_counter()
    volume = open_volume(ref)
    plane = volume.section("z", volume.info.shape[0] // 2)
    own_window([plane]).apply(plane)
    return time.perf_counter() - begun


def seconds_a_slice(refs: Sequence[ImageRef]) -> tuple[float, float]:
    """Return what a slice takes on its way to the CT model, by the clock and of a core."""
    folders = ModelFolders((resource_path("models"),))
    spec = find_bundle(folders.holding("ct_cnn"), "ct_cnn").manifest.preprocess
    grey = StackWindow(refs, GreyPolicy(WINDOW if refs[0].section else "dtype"))
    decoding = DecodeAhead()
    begun, worked = time.perf_counter(), time.process_time()
    for found in decoding.images([Wanted(ref, spec, grey) for ref in refs]):
        if not isinstance(found, Decoded):
            raise RuntimeError(found.error.text("en"))
    seconds = time.perf_counter() - begun, time.process_time() - worked
    decoding.close()
    return seconds[0] / len(refs), seconds[1] / len(refs)


def measure_volume(ref: VolumeRef, every: int) -> dict[str, Any]:
    """Return the figures of a volume; called in a process of its own."""
    cold = first_picture(ref) if drop_from_cache(volume_files(ref)) else None
    row: dict[str, Any] = {"cold_s": cold, "first_s": first_picture(ref)}
    close_volumes()
    shape = open_volume(ref).info.shape
    for axis, side in zip(AXES, shape, strict=True):
        # Where the cylinder is: planes of air are no slices.
        refs = [
            ImageRef(ref.path, "ct", "001", axis, n, None, None, None, Section(ref, axis, n))
            for n in range(side // 10, side - side // 10, every)
        ]
        row[axis] = seconds_a_slice(refs)
    close_volumes()
    return row | {"peak_mib": peak_mib()}


def measure_jpegs(folder: Path) -> dict[str, Any]:
    """Return the figures of separate pictures."""
    row: dict[str, Any] = {"cold_s": None, "first_s": None}
    for axis in AXES:
        files = sorted(folder.glob(f"{axis}_*.jpg"))
        refs = [ImageRef(f, "ct", "001", axis, n, None, None, None) for n, f in enumerate(files)]
        row[axis] = seconds_a_slice(refs)
    return row | {"peak_mib": peak_mib()}


def write_jpegs(ref: VolumeRef, folder: Path) -> None:
    """Write some planes of a volume as a lot of pictures holds them, unless they are there."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True)
    volume = open_volume(ref)
    for axis, side in zip(AXES, volume.info.shape, strict=True):
        # Neighbours: planes across x and y are then written in one pass.
        first = max(0, side // 2 - JPEG_PLANES // 2)
        for number in range(first, min(side, first + JPEG_PLANES)):
            plane = (volume.section(axis, number) >> 8).astype("uint8")
            data = cv2.imencode(".jpg", plane, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
            (folder / f"{axis}_{number:05d}.jpg").write_bytes(data.tobytes())
    close_volumes()


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return the figures as a table in Markdown."""

    def seconds(value: float | None) -> str:
        return "" if value is None else f"{value:.2f} s"

    lines = [
        "| | first picture, from the disk | in the page cache | slices a second z, y, x | all"
        " | against JPEG | time of a core a slice | against JPEG | largest memory |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        axes = ", ".join(f"{1 / row[axis][0]:.0f}" for axis in AXES)
        of_all, core = (sum(row[axis][n] for axis in AXES) / len(AXES) for n in range(2))
        of_jpegs, jpegs_core = (
            sum(rows["JPEG slices"][axis][n] for axis in AXES) / len(AXES) for n in range(2)
        )
        lines.append(
            f"| {name} | {seconds(row['cold_s'])} | {seconds(row['first_s'])} | {axes}"
            f" | {1 / of_all:.0f} | {of_jpegs / of_all:.2f} | {1000 * core:.1f} ms"
            f" | {jpegs_core / core:.2f} | {row['peak_mib']} MiB |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure each way to write a volume, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=1000)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--every", type=int, default=1, help="take every so many planes")
    parser.add_argument("--folder", type=Path, help="where volumes are kept for another time")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        root = arguments.folder or Path(name)
        kinds = arguments.kinds.split(",")
        refs = {k: write_cube(k, root / f"{k}-{arguments.side}", arguments.side) for k in kinds}
        jpegs = root / f"jpeg-{arguments.side}"
        write_jpegs(next(iter(refs.values())), jpegs)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as own:
            rows["JPEG slices"] = own.submit(measure_jpegs, jpegs).result()
            for kind, ref in refs.items():
                rows[kind] = own.submit(measure_volume, ref, arguments.every).result()
                print(json.dumps({"kind": kind, **rows[kind]}), flush=True)
    print(f"\n{processor()}, {os.cpu_count()} cores, {arguments.side}³ in 16 bits\n")
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
