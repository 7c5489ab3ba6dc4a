"""Fetching a model from the hub, on request only: cancelled at any chunk, resumed at any byte."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.errors import BundleError, InspectionError
from inspection.model_catalogue import CatalogueEntry
from inspection.model_install import (
    Installed,
    OnProgress,
    Origin,
    Progress,
    check_space,
    install,
    staging,
)
from inspection.model_source import CHECKPOINTS, PICKLE_SUFFIXES, find_models, is_kept, plain_name
from inspection.model_store import CHUNK

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

log = logging.getLogger(__name__)

PARTIAL = ".downloads"
CONNECT_SECONDS = 5.0
"""A line without network is told soon."""
READ_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file to fetch; ``sha256`` for large files, ``blob`` (git's SHA-1) for all others."""

    name: str
    size: int
    sha256: str | None
    blob: str | None


def download_model(
    entry: CatalogueEntry,
    target: Path,
    *,
    on_progress: OnProgress = lambda _progress: None,
    cancel: threading.Event | None = None,
) -> Installed:
    """Download a model and install it.

    What has arrived stays in a folder of its own until the model is complete, so that a download
    that was cancelled or broke off goes on where it stopped.

    Parameters
    ----------
    entry : what to fetch
    target : folder of installed models
    cancel : set it to stop at the next chunk

    Raises
    ------
    BundleError
        If there is no network, the hub refuses, a checksum differs, or it is no model.
    InspectionError
        If the disk has no room for it.
    InterruptedError
        If ``cancel`` was set.
    """
    cancel = cancel or threading.Event()
    with staging(target) as stage:
        with _plain_errors(entry.repository):
            revision, wanted = _ask(entry)
        folder = target / PARTIAL / _folder_name(entry, revision)
        folder.mkdir(parents=True, exist_ok=True)
        missing = sum(file.size for file in wanted) - _here(folder, wanted)
        check_space(target, missing)
        tally = _Tally(sum(file.size for file in wanted), on_progress)
        for file in wanted:
            with _plain_errors(entry.repository):
                _fetch(entry.repository, revision, file, folder, tally, cancel)
        models = find_models(folder, entry.slot)
        origin = Origin(entry.name, f"{entry.repository}@{revision}", entry.licence)
        # Renamed into the stage rather than copied: see `install`.
        moved = stage / "downloaded" / entry.name
        moved.parent.mkdir()
        folder.replace(moved)
        try:
            models = find_models(moved, entry.slot)
            return install(models, stage, target, origin, on_progress, cancel)
        except InterruptedError:
            _give_back(stage, moved, folder)
            raise


def _give_back(stage: Path, moved: Path, folder: Path) -> None:
    """Put downloaded files where a resume finds them, also those that were staged already."""
    for staged in (path for path in stage.iterdir() if path != moved.parent):
        for path in staged.rglob("*"):
            if path.is_file() and not (moved / path.relative_to(staged)).exists():
                (moved / path.relative_to(staged)).parent.mkdir(parents=True, exist_ok=True)
                path.replace(moved / path.relative_to(staged))
    shutil.rmtree(folder, ignore_errors=True)
    moved.replace(folder)


class _Tally:
    def __init__(self, total: int, tell: OnProgress) -> None:
        self._total, self._tell, self._done = total, tell, 0

    def add(self, count: int) -> None:
        self._done += count
        self._tell(Progress("download", self._done, self._total))


@contextmanager
def _plain_errors(repository: str) -> Iterator[None]:
    """Say in one sentence what the network libraries say in thirty lines."""
    import requests
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except (requests.ConnectionError, requests.Timeout, OfflineModeIsEnabled) as error:
        log.info("the model hub cannot be reached: %s", error)
        raise BundleError("model_no_network") from error
    except (HfHubHTTPError, requests.HTTPError) as error:
        status = error.response.status_code if error.response is not None else "?"
        raise BundleError("model_hub_refused", name=repository, problem=f"HTTP {status}") from error
    except requests.RequestException as error:
        raise BundleError(
            "model_hub_refused", name=repository, problem=type(error).__name__
        ) from error


def _ask(entry: CatalogueEntry) -> tuple[str, list[_Wanted]]:
    """Return the repository's revision and the files to fetch of it."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(entry.repository, files_metadata=True, timeout=CONNECT_SECONDS)
    siblings = [sibling for sibling in info.siblings or [] if _wants(entry, sibling.rfilename)]
    has_safetensors = any(s.rfilename.endswith(".safetensors") for s in siblings)
    wanted = [
        _described(sibling)
        for sibling in siblings
        if not (has_safetensors and Path(sibling.rfilename).suffix in PICKLE_SUFFIXES)
    ]
    if not wanted or info.sha is None:
        raise BundleError("model_not_recognised", folder=entry.repository)
    return info.sha, wanted


def _wants(entry: CatalogueEntry, name: str) -> bool:
    if not plain_name(name) or not is_kept(Path(name)):
        return False
    # Of two checkpoints in one repository the catalogue names one.
    return entry.only is None or Path(name).name not in CHECKPOINTS or name == entry.only


def _described(sibling: RepoSibling) -> _Wanted:
    return _Wanted(
        sibling.rfilename,
        sibling.size or 0,
        sibling.lfs.sha256 if sibling.lfs else None,
        None if sibling.lfs else sibling.blob_id,
    )


def _folder_name(entry: CatalogueEntry, revision: str) -> str:
    return re.sub(r"[^\w.-]", "-", f"{entry.repository}-{entry.only or 'all'}-{revision[:12]}")


def _here(folder: Path, wanted: list[_Wanted]) -> int:
    """Return the bytes that an earlier attempt has left."""
    paths = [p for file in wanted for p in (folder / file.name, _part(folder / file.name))]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _fetch(
    repository: str,
    revision: str,
    file: _Wanted,
    folder: Path,
    tally: _Tally,
    cancel: threading.Event,
) -> None:
    path = folder / file.name
    if path.is_file() and path.stat().st_size == file.size:
        tally.add(file.size)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    _stream(repository, revision, file, part, tally, cancel)
    if part.stat().st_size < file.size:
        raise BundleError("model_download_broken", file=file.name)
    if not _is_intact(part, file):
        part.unlink()
        raise BundleError("model_download_differs", file=file.name)
    part.replace(path)


def _stream(
    repository: str,
    revision: str,
    file: _Wanted,
    part: Path,
    tally: _Tally,
    cancel: threading.Event,
) -> None:
    import requests
    from huggingface_hub import get_session, get_token, hf_hub_url

    start = part.stat().st_size if part.is_file() else 0
    if start >= file.size:
        # Complete or too long: the checksum decides.
        tally.add(file.size)
        part.touch()
        return
    headers = {"Accept-Encoding": "identity"}
    if token := get_token():
        headers["Authorization"] = f"Bearer {token}"
    if start:
        headers["Range"] = f"bytes={start}-"
    url = hf_hub_url(repository, file.name, revision=revision)
    timeout = (CONNECT_SECONDS, READ_SECONDS)
    response: Any
    with get_session().get(url, headers=headers, stream=True, timeout=timeout) as response:
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        tally.add(start if resumed else 0)
        with part.open("ab" if resumed else "wb") as stream:
            try:
                for chunk in response.iter_content(CHUNK):
                    if cancel.is_set():
                        raise InterruptedError(file.name)
                    stream.write(chunk)
                    tally.add(len(chunk))
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
                # Connected before, so this is no missing network; what has arrived is kept.
                raise BundleError("model_download_broken", file=file.name) from error


def _is_intact(path: Path, file: _Wanted) -> bool:
    if file.sha256 is not None:
        digest = hashlib.sha256()
    else:
        # Small files are known by git's own digest, which is no guard against malice, only against
        # damage; they hold no code.
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == (file.sha256 or file.blob)


def removable_downloads(target: Path) -> int:
    """Return the bytes of unfinished downloads."""
    return sum(p.stat().st_size for p in (target / PARTIAL).rglob("*") if p.is_file())


def discard_downloads(target: Path) -> None:
    """Remove what unfinished downloads have left.

    Raises
    ------
    InspectionError
        If the disk refuses.
    """
    try:
        shutil.rmtree(target / PARTIAL)
    except FileNotFoundError:
        return
    except OSError as error:
        problem = error.strerror or str(error)
        raise InspectionError("model_write_failed", folder=str(target), problem=problem) from error
