"""One process writes a session, whatever becomes of the files that say which."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from builders.session_holder import ROOT, held_elsewhere

from inspection.errors import SessionError
from inspection.records import Battery, Lot
from inspection.session.creating import create_session
from inspection.session.files import list_sessions
from inspection.session.lock import (
    HOLDER_NAME,
    LOCK_NAME,
    Holder,
    SessionHeldError,
    SessionLock,
    holder_of,
)
from inspection.session.store import SessionStore

LOT = Lot(Path("/lot"), (Battery("001", "001", None),))
READER = """
import os, sys
from pathlib import Path
import psutil
from inspection.config import load_keeping
from inspection.messages import wordings
from inspection.errors import SessionError
from inspection.session.files import glance, list_sessions
from inspection.session.leftovers import clear_killed
from inspection.session.lock import SessionForeignError
from inspection.session.store import SessionStore

folder = Path(sys.argv[1])
wordings()
load_keeping()
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
clear_killed(folder.parent)
glance(folder.parent)
if len(sys.argv) > 2:
    print(list_sessions(folder.parent)[0].problem.text("en"))
    try:
        SessionStore.open(folder, read_only=True)
    except SessionError as error:
        print(error)
    sys.exit()
print(list_sessions(folder.parent)[0].record.run_id)
try:
    SessionStore.open(folder)
except SessionForeignError as error:
    print(error)
with SessionStore.open(folder, read_only=True) as store:
    print(store.record.run_id)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A session that nobody holds."""
    with create_session(tmp_path, lot=LOT, language="en", config={}, device="cpu") as store:
        return store.folder


def test_a_session_in_another_process_is_told_with_who_and_since(folder):
    with held_elsewhere(folder) as other:
        with pytest.raises(SessionHeldError) as refused:
            SessionStore.open(folder)
        holder = refused.value.holder
        assert (holder.pid, holder.host) == (other.pid, platform.node())
        assert not holder.mine
        assert holder.since is not None
        for told in (holder.user, holder.host, f"{holder.since:%Y-%m-%d %H:%M}"):
            assert told in str(refused.value)
        assert list_sessions(folder.parent)[0].live
        other.close()
        assert not list_sessions(folder.parent)[0].live
        SessionStore.open(folder).close()


@pytest.mark.parametrize("deleted", [(LOCK_NAME,), (HOLDER_NAME,), (LOCK_NAME, HOLDER_NAME)])
def test_deleting_the_locks_files_lets_no_second_writer_in(folder, deleted):
    with held_elsewhere(folder) as other:
        for name in deleted:
            (folder / name).unlink()
        with pytest.raises(SessionHeldError):
            SessionStore.open(folder)
        # The next write puts back what is missing.
        other.save("001")
        assert holder_of(folder).pid == other.pid
        assert (folder / LOCK_NAME).exists()
        with pytest.raises(SessionHeldError):
            SessionStore.open(folder)
    assert SessionStore.open(folder, read_only=True).record.batteries[0].state == "done"


def test_what_a_killed_process_leaves_keeps_nobody_out(folder):
    with held_elsewhere(folder) as other:
        other.kill()
        assert (folder / HOLDER_NAME).exists()
        assert holder_of(folder) is None
        with SessionStore.open(folder) as store:
            store.mark("completed")
            assert holder_of(folder).mine
    assert not (folder / HOLDER_NAME).exists()


def test_another_process_with_the_number_of_a_dead_one_holds_nothing(folder):
    with SessionLock(folder):
        told = json.loads((folder / HOLDER_NAME).read_bytes())
    # Process 1 runs, but began at another time.
    left = {**told, "pid": 1, "started": 1.0}
    (folder / HOLDER_NAME).write_text(json.dumps(left), encoding="utf-8")
    assert holder_of(folder) is None


def test_a_living_process_holds_a_session_on_a_disk_that_locks_nothing(folder):
    with held_elsewhere(folder):
        told = (folder / HOLDER_NAME).read_bytes()
        copy = folder.with_name("copy")
        shutil.copytree(folder, copy)
        # A copy of the folder is another folder: nobody writes it.
        assert holder_of(copy) is None
        said = Holder.model_validate_json(told).model_copy(update={"place": copy.stat().st_ino})
        (copy / HOLDER_NAME).write_text(said.model_dump_json(), encoding="utf-8")
        (copy / LOCK_NAME).unlink()
        with pytest.raises(SessionHeldError):
            SessionLock(copy)


def test_of_another_computer_only_its_lock_can_tell(folder):
    holder = Holder(host="line-7", pid=4, user="kim", program="station", place=folder.stat().st_ino)
    (folder / HOLDER_NAME).write_text(holder.model_dump_json(), encoding="utf-8")
    # Its lock is there and free: it has ended.
    assert holder_of(folder) is None
    (folder / LOCK_NAME).unlink()
    assert holder_of(folder) == holder
    (folder / HOLDER_NAME).unlink()
    SessionStore.open(folder).close()


def test_the_lock_of_an_older_program_holds(folder):
    filelock = pytest.importorskip("filelock")
    with filelock.FileLock(folder / LOCK_NAME), pytest.raises(SessionHeldError) as refused:
        SessionStore.open(folder)
    assert refused.value.message.code == "session_locked"


@pytest.fixture
def shared():
    """A session where other accounts come, too: not below pytest's folder."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    with create_session(root, lot=LOT, language="en", config={}, device="cpu") as store:
        folder = store.folder
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(root)


def as_another_account(folder: Path, *more: str) -> list[str]:
    """Return what a process prints that may only do with a session what strangers may."""
    if os.geteuid() != 0:
        # Whoever is not root cannot become another: their own files are closed to them instead.
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    reader = subprocess.run(
        [sys.executable, "-c", READER, str(folder), *more],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert reader.returncode == 0, reader.stderr
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before
    return reader.stdout.splitlines()


@pytest.mark.skipif(os.name == "nt", reason="accounts are told apart by POSIX modes")
def test_another_accounts_session_opens_to_read(shared):
    for path in (shared, *shared.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    listed, told, run_id = as_another_account(shared)
    assert listed == run_id == shared.name
    assert "not this account's to write" in told


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs a second account")
def test_a_session_that_is_another_accounts_alone_is_a_line_in_the_list(shared):
    shared.chmod(0o700)
    for told in as_another_account(shared, "closed"):
        assert f"{shared.name} of the session cannot be read: Permission denied" in told


RACER = """
import sys, time
from pathlib import Path
from inspection.session.lock import SessionHeldError, SessionLock

folder, start = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
while not start.exists():
    time.sleep(0.001)
try:
    lock = SessionLock(folder)
    print("held", flush=True)
except SessionHeldError:
    print("refused", flush=True)
sys.stdin.read()
"""


def test_of_several_that_come_at_once_one_gets_it(folder, tmp_path):
    start = tmp_path / "start"
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(folder), str(start)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(5)
    ]
    try:
        assert {racer.stdout.readline() for racer in racers} == {"ready\n"}
        (folder / LOCK_NAME).unlink(missing_ok=True)
        start.touch()
        answers = [racer.stdout.readline() for racer in racers]
    finally:
        for racer in racers:
            racer.communicate("")
    assert sorted(answers) == ["held\n", *["refused\n"] * 4]


def test_the_lock_goes_with_its_files_when_a_session_is_gone(folder):
    with SessionStore.open(folder) as store:
        shutil.rmtree(folder)
        with pytest.raises(SessionError):
            store.mark("failed")
