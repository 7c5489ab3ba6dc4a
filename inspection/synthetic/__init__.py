"""Synthetic labelled lots in the layout of the real ones, for the demo, training and tests."""

from inspection.synthetic.lot import GENERATOR_VERSION, write_lot
from inspection.synthetic.spec import SyntheticLot

__all__ = ["GENERATOR_VERSION", "SyntheticLot", "write_lot"]
