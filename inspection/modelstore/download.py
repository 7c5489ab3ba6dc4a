"""Fetching a model from the hub, on request only: cancelled at any chunk, resumed at any byte."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.errors import BundleError
from inspection.modelstore.catalogue import CatalogueEntry
from inspection.modelstore.install import (
    Installed,
    OnProgress,
    Origin,
    Progress,
    check_space,
    install,
    staging,
)
from inspection.modelstore.installed import CHUNK, file_digest
from inspection.modelstore.source import (
    CHECKPOINTS,
    PICKLE_SUFFIXES,
    find_models,
    is_kept,
    plain_name,
)

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling
    from requests import Response

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


@dataclass(frozen=True, slots=True)
class _Repository:
    """A repository at one revision, on the hub at ``endpoint``."""

    name: str
    revision: str
    endpoint: str | None


@dataclass(slots=True)
class _Tally:
    total: int
    tell: OnProgress
    done: int = 0

    def add(self, count: int) -> None:
        self.done += count
        self.tell(Progress("download", self.done, self.total))


def download_model(
    entry: CatalogueEntry,
    target: Path,
    *,
    on_progress: OnProgress = lambda _progress: None,
    cancel: threading.Event | None = None,
    endpoint: str | None = None,
) -> Installed:
    """Download a model and install it.

    What has arrived stays in a folder of its own until the model is installed, so that a download
    that was cancelled or broke off goes on where it stopped.

    Parameters
    ----------
    entry : what to fetch
    target : folder of installed models
    cancel : set it to stop at the next chunk
    endpoint : address of the model hub, by default that of ``HF_ENDPOINT``, else the public one

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
            repository, wanted = _ask(entry, endpoint)
        folder = _arrivals(target, entry, repository.revision)
        total = sum(file.size for file in wanted)
        check_space(target, total - _here(folder, wanted))
        tally = _Tally(total, on_progress)
        for file in wanted:
            with _plain_errors(entry.repository):
                _fetch(repository, file, folder, tally, cancel)
        models = find_models(folder, entry.slot)
        origin = Origin(entry.name, f"{entry.repository}@{repository.revision}", entry.licence)
        installed = install(models, stage, target, origin, on_progress, cancel, owned=True)
        shutil.rmtree(folder.parent, ignore_errors=True)
    return installed


def _arrivals(target: Path, entry: CatalogueEntry, revision: str) -> Path:
    """Return where a model's files arrive; what came of another revision is of no more use."""
    name = re.sub(r"[^\w.-]", "-", f"{entry.repository}-{entry.only or 'all'}")
    folder = target / PARTIAL / name / re.sub(r"\W", "-", revision[:12])
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return folder


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


def _ask(entry: CatalogueEntry, endpoint: str | None) -> tuple[_Repository, list[_Wanted]]:
    """Return the repository at its present revision, and the files to fetch of it."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    try:
        info = HfApi(endpoint).model_info(
            entry.repository, files_metadata=True, timeout=CONNECT_SECONDS
        )
    except HFValidationError as error:
        raise BundleError("model_name_unknown", name=entry.repository) from error
    except (KeyError, TypeError, AttributeError) as error:
        # Somebody answers, but not as a hub does: the login page of a guest network, say.
        raise BundleError(
            "model_hub_refused", name=entry.repository, problem=type(error).__name__
        ) from error
    siblings = [sibling for sibling in info.siblings or [] if _wants(entry, sibling.rfilename)]
    has_safetensors = any(s.rfilename.endswith(".safetensors") for s in siblings)
    wanted = [
        _described(sibling)
        for sibling in siblings
        if not (has_safetensors and Path(sibling.rfilename).suffix in PICKLE_SUFFIXES)
    ]
    if not wanted or info.sha is None:
        raise BundleError("model_not_recognised", folder=entry.repository)
    return _Repository(entry.repository, info.sha, endpoint), wanted


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


def _here(folder: Path, wanted: list[_Wanted]) -> int:
    """Return the bytes that an earlier attempt has left."""
    paths = [p for file in wanted for p in (folder / file.name, _part(folder / file.name))]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _fetch(
    repository: _Repository, file: _Wanted, folder: Path, tally: _Tally, cancel: threading.Event
) -> None:
    path = folder / file.name
    if path.is_file():
        # It has its name since its checksum was right.
        tally.add(file.size)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    start = part.stat().st_size if part.is_file() else 0
    if start < file.size or not part.is_file():
        _stream(repository, file, part, tally, cancel)
    else:
        # Stopped between its last byte and its checksum.
        tally.add(file.size)
    if part.stat().st_size < file.size:
        raise BundleError("model_download_broken", file=file.name)
    if not _is_intact(part, file, cancel):
        part.unlink()
        raise BundleError("model_download_differs", file=file.name)
    part.replace(path)


def _stream(
    repository: _Repository, file: _Wanted, part: Path, tally: _Tally, cancel: threading.Event
) -> None:
    import requests
    from huggingface_hub import get_session, get_token, hf_hub_url

    start = part.stat().st_size if part.is_file() else 0
    # Ranges count the bytes as they are sent, so they must be sent as they are.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    if token := get_token():
        headers["Authorization"] = f"Bearer {token}"
    url = hf_hub_url(
        repository.name, file.name, revision=repository.revision, endpoint=repository.endpoint
    )
    timeout = (CONNECT_SECONDS, READ_SECONDS)
    with get_session().get(url, headers=headers, stream=True, timeout=timeout) as response:
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        tally.add(start if resumed else 0)
        try:
            _write(response, file, part, start if resumed else 0, tally, cancel)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            # Connected before, so this is no missing network; what has arrived is kept.
            raise BundleError("model_download_broken", file=file.name) from error


def _write(
    response: Response,
    file: _Wanted,
    part: Path,
    start: int,
    tally: _Tally,
    cancel: threading.Event,
) -> None:
    written = start
    with part.open("ab" if start else "wb") as stream:
        for chunk in response.iter_content(CHUNK):
            if cancel.is_set():
                raise InterruptedError(file.name)
            stream.write(chunk)
            tally.add(len(chunk))
            written += len(chunk)
            if written > file.size:
                # Whatever this is, it could fill the disk.
                break
        stream.flush()
        os.fsync(stream.fileno())


def _is_intact(path: Path, file: _Wanted, cancel: threading.Event) -> bool:
    if file.sha256 is not None:
        return file_digest(path, cancel=cancel) == file.sha256
    # Small files are known by git's own digest, which is no guard against malice, only against
    # damage; they hold no code.
    content = path.read_bytes()
    blob = b"blob %d\0" % len(content)
    return hashlib.sha1(blob + content, usedforsecurity=False).hexdigest() == file.blob


def discard_unfinished(target: Path) -> int:
    """Remove what unfinished downloads have left, and return its bytes.

    Raises
    ------
    BundleError
        If a download is at work, or the disk refuses.
    """
    with staging(target):
        arrivals = target / PARTIAL
        freed = sum(path.stat().st_size for path in arrivals.rglob("*") if path.is_file())
        if arrivals.exists():
            shutil.rmtree(arrivals)
    return freed
