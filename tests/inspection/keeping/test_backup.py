"""A backup brings everything back, a packed session is opened anywhere, and neither lies."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
import zipfile

import pytest

from inspection.errors import ArchiveError
from inspection.keeping.backup import back_up, pack_session, restore, unpack_session
from inspection.seals.log import StationLog
from inspection.session.store import SessionStore
from inspection.session.verify import verify_session


@pytest.fixture
def data(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    monkeypatch.setenv("STATION_DATA", str(folder))
    return folder


def parts(data):
    return {f"data/{name}": data / name for name in ("log_head.json", "keys", "log")}


def test_a_station_comes_back_on_an_empty_disk(data, session, tmp_path):
    StationLog().append("start")
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    archive = tmp_path / "backup.zip"
    back_up(archive, session.parent, parts(data))
    shutil.rmtree(session.parent)
    shutil.rmtree(data)
    done = restore(archive, session.parent, parts(data), replace=False)
    assert done.sessions == (session.name,)
    for path, content in kept.items():
        if not path.name.endswith(".lock") and path.name not in (".holder.json", "log_head.json"):
            # The log goes on: it tells of the backup's return.
            assert path.read_bytes().startswith(content), path
    assert verify_session(session).state == "sealed"
    assert "log_altered" not in [line.event for line in StationLog().newest()]
    assert archive.stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_never_overwritten(data, session, tmp_path):
    archive = tmp_path / "backup.zip"
    back_up(archive, session.parent, parts(data))
    with SessionStore.open(session) as store:
        store.mark("cancelled")
    with pytest.raises(ArchiveError) as refused:
        restore(archive, session.parent, parts(data), replace=False)
    assert refused.value.message.code == "backup_part_present"
    done = restore(archive, session.parent, parts(data), replace=True)
    assert (done.sessions, done.present) == ((), (session.name,))
    assert all(path.exists() for path in done.set_aside)
    with SessionStore.open(session, read_only=True) as store:
        assert store.record.status == "cancelled"


def test_a_backup_that_fails_at_a_later_part_changes_nothing(data, session, tmp_path):
    StationLog().append("start")
    archive, extra, wall = tmp_path / "backup.zip", tmp_path / "extra.json", tmp_path / "wall"
    extra.write_text("{}")
    back_up(archive, session.parent, {**parts(data), "extra.json": extra})
    StationLog().append("start")
    wall.write_text("no folder")
    shutil.rmtree(session)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(FileExistsError):
        # No folder can be made where a file is.
        restore(
            archive,
            session.parent,
            {**parts(data), "extra.json": wall / "extra.json"},
            replace=True,
        )
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == kept


def test_a_packed_session_is_verified_and_opened_elsewhere(data, session, tmp_path):
    archive = tmp_path / "session.zip"
    pack_session(session, archive)
    folder = unpack_session(archive, tmp_path / "elsewhere")
    assert verify_session(folder).state == "sealed"
    with SessionStore.open(folder, read_only=True) as store:
        assert store.record.batteries[0].decision.operator == "김검사"
    assert unpack_session(archive, tmp_path / "elsewhere") == folder


def _rewrite(archive, change):
    with zipfile.ZipFile(archive) as zipped:
        content = {entry.filename: zipped.read(entry) for entry in zipped.infolist()}
    change(content)
    with zipfile.ZipFile(archive, "w") as zipped:
        for name, data in content.items():
            zipped.writestr(name, data)


def _edit_a_battery(content):
    name = next(name for name in content if "/batteries/" in name)
    content[name] = content[name].replace(b"internal_defect", b"normal")


def _edit_the_manifest_too(content):
    _edit_a_battery(content)
    manifest = json.loads(content["manifest.json"])
    manifest["name"] += "x"
    content["manifest.json"] = json.dumps(manifest).encode()


def _drop_a_file(content):
    del content[next(name for name in content if "/batteries/" in name)]


def _add_a_file(content):
    content["session/../../evil.txt"] = b"x"


def _name_a_file_twice(content):
    content["manifest.json"] = content["manifest.json"].replace(b'"kind"', b'"kind": "x", "kind"')


@pytest.mark.parametrize(
    "change",
    [
        _edit_a_battery,
        _edit_the_manifest_too,
        _drop_a_file,
        _add_a_file,
        _name_a_file_twice,
        lambda content: content.clear(),
    ],
)
def test_an_altered_zip_is_refused_and_leaves_nothing(data, session, tmp_path, change):
    archive, elsewhere = tmp_path / "session.zip", tmp_path / "elsewhere"
    pack_session(session, archive)
    _rewrite(archive, change)
    with pytest.raises(ArchiveError):
        unpack_session(archive, elsewhere)
    assert list(elsewhere.iterdir()) == []


def test_a_zip_cut_off_is_told(data, session, tmp_path):
    archive = tmp_path / "session.zip"
    pack_session(session, archive)
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(ArchiveError) as refused:
        unpack_session(archive, tmp_path / "elsewhere")
    assert refused.value.message.code == "archive_damaged"


def test_a_session_is_no_backup(data, session, tmp_path):
    archive = tmp_path / "session.zip"
    pack_session(session, archive)
    with pytest.raises(ArchiveError) as refused:
        restore(archive, tmp_path / "new", {}, replace=False)
    assert refused.value.message.code == "archive_no_backup"


def test_a_session_that_is_being_written_is_packed_as_it_is_at_one_moment(data, session, tmp_path):
    archive = tmp_path / "live.zip"
    stop = threading.Event()

    def work(store):
        for number in itertools.count():
            if stop.wait(0.1):
                return
            store.mark("processing", f"step {number}")

    with SessionStore.open(session) as store:
        writing = threading.Thread(target=work, args=(store,))
        writing.start()
        try:
            pack_session(session, archive)
        finally:
            stop.set()
            writing.join()
    folder = unpack_session(archive, tmp_path / "elsewhere")
    with SessionStore.open(session) as store:
        store.mark("completed")
    assert verify_session(folder).problems == ()


def test_a_zip_packed_in_another_way_is_refused(data, session, tmp_path):
    archive = tmp_path / "session.zip"
    pack_session(session, archive)
    with zipfile.ZipFile(archive) as zipped:
        content = {entry.filename: zipped.read(entry) for entry in zipped.infolist()}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as zipped:
        for name, data_ in content.items():
            zipped.writestr(name, data_)
    with pytest.raises(ArchiveError):
        unpack_session(archive, tmp_path / "elsewhere")
