"""Judging with the station's own lane; figures, thresholds and fusion policies."""
