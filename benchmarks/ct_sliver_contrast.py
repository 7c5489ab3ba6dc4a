"""Does a reduced JPEG decode cost a sliver its contrast? One table.

Draws full-size cell slices with and without their pore, and brings both to the classifier's size
twice: from a full decode, and from the reduced decode that the station chooses. The contrast is
what the pore takes away in its darkest pixel of a row, grey levels, median over its rows::

    python benchmarks/ct_sliver_contrast.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection.images.preprocess import Preprocess, load_image, to_model_input
from inspection.synthetic.ct import Defect, Structure, build_structure, render_slice

CANVAS = 4000
SIZES = ((160, 512), (240, 768), (320, 1024))
AXES = ("x", "y", "z")
TAPER = 0.15
"""Share of a pore's length, at each end, that is not looked at: it thins out there."""


def draw(seed: int, folder: Path) -> tuple[Structure, tuple[float, float], tuple[Path, Path]]:
    """Write one slice with its pore and one without; return where the pore is, top and bottom."""
    axis = AXES[seed % 3]
    structure = build_structure("cell", axis, CANVAS, np.random.default_rng(seed))
    defect = Defect("porosity", axis, 10, 18, "clear", seed)
    files, span = [], (0.0, 0.0)
    for name, defects in (("with", [defect]), ("without", [])):
        picture, outlines = render_slice(structure, 12, defects, np.random.default_rng(5), CANVAS)
        if outlines:
            rows = outlines[0][1][:, 1]
            span = float(rows.min()), float(rows.max())
        files.append(folder / f"{seed}-{name}.jpg")
        files[-1].write_bytes(
            cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        )
    return structure, span, (files[0], files[1])


def at_size(file: Path, spec: Preprocess, *, full: bool) -> NDArray[np.float32]:
    """Return the slice as the classifier sees it, grey levels."""
    fit = None if full else (spec.width, spec.height)
    image = load_image(file, modality="ct", fit=fit)
    return to_model_input(image, spec).array[0] * 255


def main() -> None:
    """Draw, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=24)
    count = parser.parse_args().slices
    found: dict[tuple[int, int], list[list[float]]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            structure, (top, bottom), files = draw(seed, Path(folder))
            roi = (structure.image.shape[1], structure.image.shape[0])
            for width, height in SIZES:
                spec = Preprocess(
                    modality="ct", width=width, height=height, channels=1, mean=(0.0,), std=(1.0,)
                )
                scale, inset = height / roi[1], TAPER * (bottom - top)
                rows = slice(int((top + inset) * scale), int((bottom - inset) * scale) + 1)
                depths = []
                for full in (True, False):
                    pore, sound = (at_size(file, spec, full=full) for file in files)
                    depths.append(float(np.median((sound - pore)[rows].max(axis=1))))
                found[width, height].append(depths)
            for file in files:
                file.unlink()
    sys.stdout.write(
        "| input | full decode | reduced decode | kept: median, worst |\n|---|---|---|---|\n"
    )
    for (width, height), rows in found.items():
        whole, reduced = np.array(rows).T
        kept = reduced / whole
        sys.stdout.write(
            f"| {width}×{height} | {np.median(whole):.1f} | {np.median(reduced):.1f} "
            f"| {np.median(kept):.2f}, {kept.min():.2f} |\n"
        )


if __name__ == "__main__":
    main()
