"""The scripts of ``packaging/`` are no package: each is loaded from its file."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import inspection

SCRIPTS = Path(inspection.__file__).parent.parent / "packaging"


def load(name: str) -> ModuleType:
    """Load a script under a name that is no other module's."""
    spec = importlib.util.spec_from_file_location(f"station_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def licences() -> Iterator[ModuleType]:
    yield load("licences")
    del sys.modules["station_licences"]


@pytest.fixture
def windows() -> Iterator[ModuleType]:
    yield load("windows")
    del sys.modules["station_windows"]


@pytest.fixture
def contents() -> Iterator[ModuleType]:
    yield load("contents")
    del sys.modules["station_contents"]
