"""Inspection of battery lots: intake, models, fusion, sessions and reports. No Qt, no training."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("battery-station")
except PackageNotFoundError:
    # A checkout on the path without an installation.
    __version__ = "0+unknown"
