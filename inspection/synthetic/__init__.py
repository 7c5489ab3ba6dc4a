"""Synthetic labelled lots in the layout of the real ones, for the demo, training and tests."""
