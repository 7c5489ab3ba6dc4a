"""Fixtures shared by all tests: no display, no network, nothing left over."""

from __future__ import annotations

import os

# Before Qt is imported by any test.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
