"""Detectors of frozen features: fitted in seconds, to a handful of normal pictures."""
