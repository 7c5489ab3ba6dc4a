"""Fixtures shared by all tests: no display, no network, nothing left over."""

from __future__ import annotations

import os

import pytest

# Before Qt is imported by any test.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(autouse=True)
def user_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep decoded training images out of the user's own cache, also in subprocesses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "user-cache"))
