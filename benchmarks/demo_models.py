"""Figures of the demo VLM and VLG on a labelled lot, beside those of the trivial answer.

    station inspect LOT --sample 7 --systems ensemble,vlm,vlg --session-dir SESSIONS
    python benchmarks/demo_models.py SESSIONS/RUN_ID

What `station compare` prints of all three systems is not repeated here but for the box figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from inspection.agreement.cells import Cell
from inspection.agreement.overlap import box_figures, locate
from inspection.comparison.figures import BOX_IOU, ComparedImage
from inspection.comparison.session import read_comparison
from inspection.lot.truth import ImageTruth
from inspection.results import SystemName
from inspection.session.store import open_to_read

Marked = tuple[Cell, ImageTruth]


def share(values: Sequence[Marked], right: Callable[[Cell, ImageTruth], bool]) -> str:
    """Return how many of some images a system is right about."""
    if not values:
        return "-"
    count = sum(right(cell, truth) for cell, truth in values)
    return f"{count / len(values):.3f} ({count} of {len(values)})"


def judged_rightly(cell: Cell, truth: ImageTruth) -> bool:
    """Return whether the judgement is the label's."""
    return cell.judgement == ("defect" if truth.is_defect else "normal")


def typed_rightly(cell: Cell, truth: ImageTruth) -> bool:
    """Return whether the defect type is the label's."""
    return cell.defect_type == truth.name


def print_system(name: SystemName, images: Sequence[ComparedImage]) -> None:
    """Print the figures of one system."""
    marked = [(i.comparison.cells[name], i.truth) for i in images if i.truth is not None]
    defects = [(cell, truth) for cell, truth in marked if truth.is_defect]
    normals = [(cell, truth) for cell, truth in marked if not truth.is_defect]
    seconds = [cell.seconds for cell, _ in marked if cell.seconds is not None]
    located = [locate(cell.boxes, truth.polygons, BOX_IOU) for cell, truth in marked]
    boxes = box_figures(located, BOX_IOU)
    false = sum(len(cell.boxes) for cell, _ in normals)
    print(f"{name}: {len(marked)} images, {len(defects)} with a defect")
    print(f"  (the answer 'normal'  {share(marked, lambda _, truth: not truth.is_defect)})")
    print(f"  judgement             {share(marked, judged_rightly)}")
    print(f"    of defects          {share(defects, judged_rightly)}")
    print(f"    of normal images    {share(normals, judged_rightly)}")
    found = [(cell, truth) for cell, truth in defects if cell.judgement == "defect"]
    print(f"  type, of defects      {share(defects, typed_rightly)}")
    print(f"  type, of those found  {share(found, typed_rightly)}")
    if name == "vlm":
        print(f"  answers that parse    {share(marked, lambda cell, _: cell.reason is None)}")
    for figure in ("mean_best_iou", "f1", "precision", "recall"):
        value = boxes[figure]
        print(f"  {figure:21s} {'-' if value is None else f'{value:.3f}'}")
    print(f"  false boxes           {false / max(len(normals), 1):.3f} a normal image")
    print(f"  seconds an image      {sum(seconds) / max(len(seconds), 1):.2f}")


def main() -> None:
    """Read a session and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session", type=Path)
    with open_to_read(parser.parse_args().session) as store:
        compared = read_comparison(store)
    for name in compared.systems:
        print_system(name, compared.images)


if __name__ == "__main__":
    main()
