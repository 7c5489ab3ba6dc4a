"""Inspection of battery lots: intake, models, fusion, sessions and reports. No Qt, no training."""
