"""Volumes are closed behind every test, so that the next one opens its own."""

from __future__ import annotations

import pytest

from inspection.volumes.opening import close_volumes


@pytest.fixture(autouse=True)
def _closed():
    yield
    close_volumes()
