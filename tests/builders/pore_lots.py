"""Lots whose pores are known to the voxel."""

from __future__ import annotations

from pathlib import Path

from inspection.synthetic import SyntheticLot, write_lot
from inspection.synthetic.spec import LotForm

SEED = 6
"""Of a lot whose one battery has pores that are easily seen."""


def pore_lot(folder: Path, form: LotForm, canvas: int = 128, seed: int = SEED) -> Path:
    """Write one battery with pores."""
    spec = SyntheticLot(batteries=1, views=0, canvas=canvas, seed=seed, defects=1.0, form=form)
    return write_lot(folder / form, spec, workers=1)
