"""Fixtures shared by all tests: no display, no network, nothing left over."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from inspection.seals.keys import station_key

# How long an example takes is no matter of what is right, and differs beside other work.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

# Before Qt is imported by any test.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is: tests run side by side, and their threads would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def user_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep decoded training images out of the user's own cache, also in subprocesses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "user-cache"))


@pytest.fixture(autouse=True, scope="session")
def station_of_all_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the user's own station out of it, also where several tests share what was made."""
    folder = tmp_path_factory.mktemp("station-of-all-tests")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATION_DATA", str(folder))
        station_key()
        yield folder


@pytest.fixture(autouse=True)
def station_data(
    station_of_all_tests: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Give every test a log and people of its own; the key is that of all tests."""
    folder = tmp_path_factory.mktemp("station-data")
    shutil.copytree(station_of_all_tests / "keys", folder / "keys")
    # Not the test's own patch, which it may undo.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATION_DATA", str(folder))
        yield folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse every connection and name, and fail the test that tried one, even in silence."""
    tried: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        tried.append(arguments)
        raise OSError("there is no network in this test")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    yield
    assert tried == []
