"""A finished session with evidence."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.finished_session import finished_session


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A completed session, under ``tmp_path / "sessions"``."""
    return finished_session(tmp_path / "sessions")
