"""Time the scan of a lot of the real size: 74 batteries, 1,500 slices and 200 views each.

Makes a tree of one-byte files in a temporary folder (labels too with ``--labels``), scans it
and prints one JSON object::

    python benchmarks/scan_lot.py --labels
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from inspection.lot.scan import scan_lot

SLICES_PER_AXIS = 500
VIEWS = 200


def make_tree(root: Path, batteries: int, *, labels: bool) -> int:
    """Write the tree in the published layout; return the number of image files."""
    ct = root / "Training" / "01.원천데이터" / "TS_CT_Datasets_images_1"
    rgb = root / "Training" / "01.원천데이터" / "TS_Exterior_Img_Datasets_images_1"
    ct_label = root / "Training" / "02.라벨링데이터" / "TL_CT_Datasets_label"
    rgb_label = root / "Training" / "02.라벨링데이터" / "TL_Exterior_Img_Datasets_label"
    for folder in (ct, rgb, ct_label, rgb_label):
        folder.mkdir(parents=True)
    images = 0
    for battery in range(1, batteries + 1):
        stems = [
            (ct / f"CT_module_pouch_{battery:03d}_{axis}_{number:03d}.jpg", ct_label)
            for axis in "xyz"
            for number in range(SLICES_PER_AXIS)
        ]
        stems += [
            (rgb / f"RGB_cell_cylindrical_{battery:04d}_{view:03d}.png", rgb_label)
            for view in range(VIEWS)
        ]
        images += len(stems)
        for path, label_folder in stems:
            path.write_bytes(b"0")
            if labels:
                (label_folder / f"{path.stem}.json").write_bytes(b"{}")
    return images


def main() -> None:
    """Make the tree, scan it, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batteries", type=int, default=74)
    parser.add_argument("--labels", action="store_true", help="write a label beside every image")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        images = make_tree(root, arguments.batteries, labels=arguments.labels)
        seconds = []
        for _ in range(arguments.repeat):
            started = time.perf_counter()
            lot = scan_lot(root)
            seconds.append(round(time.perf_counter() - started, 3))
        figures = {
            "images": images,
            "labels": images if arguments.labels else 0,
            "batteries": len(lot.batteries),
            "pairs": len(lot.pairs),
            "findings": len(lot.findings),
            "seconds": seconds,
            "best_seconds": min(seconds),
        }
    json.dump(figures, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
