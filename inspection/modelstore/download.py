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

from inspection.errors import BundleError
from inspection.modelstore.catalogue import CatalogueEntry
from inspection.modelstore.files import CHUNK, file_digest, write_chunks
from inspection.modelstore.install import (
    ByteCount,
    Installed,
    OnProgress,
    Origin,
    Trial,
    check_space,
    install,
    staging,
)
from inspection.modelstore.source import (
    CHECKPOINTS,
    PICKLE_SUFFIXES,
    find_models,
    is_kept,
    plain_name,
)

log = logging.getLogger(__name__)

PARTIAL = ".downloads"
PART = ".part"
CONNECT_SECONDS = 5.0
"""A line without network is told soon."""
READ_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file to fetch; ``sha256`` for large files, ``blob`` (git's SHA-1) for all others."""

    name: str
    url: str
    size: int
    sha256: str | None
    blob: str | None


def download_model(
    entry: CatalogueEntry,
    target: Path,
    *,
    trial: Trial,
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
    trial : tries out each model before any is replaced (`inspection.systems.trial.try_model`)
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
            revision, wanted = _ask(entry, endpoint)
        # What came of another revision is of no more use.
        name = re.sub(r"[^\w.-]", "-", f"{entry.repository}-{entry.only or 'all'}")
        folder = target / PARTIAL / name / re.sub(r"\W", "-", revision[:12])
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        total = sum(file.size for file in wanted)
        names = [name for file in wanted for name in (file.name, file.name + PART)]
        here = sum((folder / name).stat().st_size for name in names if (folder / name).is_file())
        check_space(target, total - here)
        count = ByteCount("download", total, on_progress)
        for file in wanted:
            with _plain_errors(entry.repository):
                _fetch(file, folder / file.name, count, cancel)
        models = find_models(folder, entry.slot)
        origin = Origin(entry.name, f"{entry.repository}@{revision}", entry.licence)
        installed = install(
            models, stage, target, origin, on_progress, cancel, trial=trial, owned=True
        )
        shutil.rmtree(folder.parent, ignore_errors=True)
    return installed


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


def _ask(entry: CatalogueEntry, endpoint: str | None) -> tuple[str, list[_Wanted]]:
    """Return the present revision of a repository, and the files to fetch of it."""
    from huggingface_hub import HfApi, hf_hub_url
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
    siblings = [
        sibling
        for sibling in info.siblings or []
        if plain_name(sibling.rfilename)
        and is_kept(Path(sibling.rfilename))
        # Of two checkpoints in one repository the catalogue names one.
        and (
            entry.only in (None, sibling.rfilename)
            or Path(sibling.rfilename).name not in CHECKPOINTS
        )
    ]
    has_safetensors = any(s.rfilename.endswith(".safetensors") for s in siblings)
    wanted = [
        _Wanted(
            sibling.rfilename,
            hf_hub_url(entry.repository, sibling.rfilename, revision=info.sha, endpoint=endpoint),
            sibling.size or 0,
            sibling.lfs.sha256 if sibling.lfs else None,
            None if sibling.lfs else sibling.blob_id,
        )
        for sibling in siblings
        if not (has_safetensors and Path(sibling.rfilename).suffix in PICKLE_SUFFIXES)
    ]
    if not wanted or info.sha is None:
        raise BundleError("model_not_recognised", folder=entry.repository)
    return info.sha, wanted


def _fetch(file: _Wanted, path: Path, count: ByteCount, cancel: threading.Event) -> None:
    """Bring a file to its place; it has its name only once its checksum was right."""
    if path.is_file():
        count.add(file.size)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + PART)
    start = part.stat().st_size if part.is_file() else 0
    if start < file.size or not part.is_file():
        _stream(file, part, start, count, cancel)
    else:
        # Stopped between its last byte and its checksum.
        count.add(file.size)
    if part.stat().st_size < file.size:
        raise BundleError("model_download_broken", file=file.name)
    if file.sha256 is not None:
        intact = file_digest(part, cancel=cancel) == file.sha256
    else:
        # Small files are known by git's own digest, which is no guard against malice, only
        # against damage; they hold no code.
        content = part.read_bytes()
        blob = b"blob %d\0" % len(content)
        intact = hashlib.sha1(blob + content, usedforsecurity=False).hexdigest() == file.blob
    if not intact:
        part.unlink()
        raise BundleError("model_download_differs", file=file.name)
    part.replace(path)


def _stream(
    file: _Wanted, part: Path, start: int, count: ByteCount, cancel: threading.Event
) -> None:
    """Write what is missing of a file behind its first ``start`` bytes.

    Not by `huggingface_hub.http_get`, which goes on as well: it cannot be cancelled between two
    chunks, asks again five times where the line is gone, and writes whatever comes, to any length.
    """
    import requests
    from huggingface_hub import get_session, get_token

    # Ranges count the bytes as they are sent, so they must be sent as they are.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    if token := get_token():
        headers["Authorization"] = f"Bearer {token}"
    timeout = (CONNECT_SECONDS, READ_SECONDS)
    with get_session().get(file.url, headers=headers, stream=True, timeout=timeout) as response:
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            start = 0
        count.add(start)
        chunks, mode = response.iter_content(CHUNK), "ab" if start else "wb"
        try:
            write_chunks(part, chunks, count.add, cancel, mode=mode, limit=file.size - start)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            # Connected before, so this is no missing network; what has arrived is kept.
            raise BundleError("model_download_broken", file=file.name) from error


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
