"""Which images a model has seen in training, known by their content: ``seen.txt`` in its folder.

A comparison of two models is fair only on images that neither was trained on. Names do not prove
that, since lots are moved and renamed; what the files hold does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from inspection.errors import BundleError
from inspection.modelstore.bundle import Bundle
from inspection.records import ImageSource, source_path

SEEN_FILE = "seen.txt"
DIGITS = 32
"""Of a fingerprint: two files of 100,000 are alike by chance once in 10**28 sites."""
WHOLE_BYTES = 4 << 20
BLOCK, BLOCKS = 1 << 16, 64
"""Of a larger file so many blocks are read: a volume of 16 GB would take minutes."""
FOLDER_FILES = 16
READERS = 4
_HEAD = "# images that this model has seen in training"
_PARTLY = "# and others, of a model that it was trained on from, which does not say which"


@dataclass(frozen=True, slots=True)
class SeenImages:
    """Images by the fingerprints of their files.

    Parameters
    ----------
    prints : see `fingerprint`
    complete : False where it goes on from a model whose images are not known
    """

    prints: frozenset[str]
    complete: bool = True

    def __or__(self, other: SeenImages) -> SeenImages:
        """Return what either has seen."""
        return SeenImages(self.prints | other.prints, self.complete and other.complete)

    def to_bytes(self) -> bytes:
        """Return what the file holds."""
        head = [_HEAD] if self.complete else [_HEAD, _PARTLY]
        return ("\n".join([*head, *sorted(self.prints)]) + "\n").encode("ascii")


def seen_by(bundle: Bundle) -> SeenImages | None:
    """Return what a model has seen; None of one that was made before that was written down.

    Raises
    ------
    BundleError
        If the file cannot be read.
    """
    if SEEN_FILE not in bundle.manifest.files:
        return None
    try:
        lines = (bundle.folder / SEEN_FILE).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError("bundle_unreadable", folder=bundle.folder.name, file=SEEN_FILE) from error
    prints = frozenset(line for line in lines if not line.startswith("#"))
    return SeenImages(prints, complete=_PARTLY not in lines)


def see(sources: Iterable[ImageSource], start: Bundle | None = None) -> SeenImages:
    """Return what a training sees.

    Parameters
    ----------
    sources : images to learn from, and those that choose an epoch or a threshold
    start : model that it goes on from, whose images count too
    """
    paths = list(dict.fromkeys(source_path(source) for source in sources))
    found = SeenImages(frozenset(fingerprints(paths)))
    if start is None:
        return found
    return found | (seen_by(start) or SeenImages(frozenset(), complete=False))


def also_seen(bundle: Bundle, sources: Iterable[ImageSource]) -> dict[str, bytes]:
    """Return the file of a model that has now seen other images too, where it has one."""
    before = seen_by(bundle)
    return {} if before is None else {SEEN_FILE: (before | see(sources)).to_bytes()}


def fingerprints(paths: Sequence[Path]) -> list[str]:
    """Return the fingerprints of files, in their order."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(fingerprint, paths))


def fingerprint(path: Path) -> str:
    """Return what a file is known by, wherever it lies and whatever it is called.

    The SHA-256 of its size and bytes, shortened; of large files of blocks all through it, of a
    folder (a DICOM series) of some of its files. It tells copies, not altered copies.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        files = sorted(part for part in path.rglob("*") if part.is_file())
        digest.update(str(len(files)).encode())
        for file in files[:: max(1, -(-len(files) // FOLDER_FILES))]:
            digest.update(fingerprint(file).encode())
        return digest.hexdigest()[:DIGITS]
    size = path.stat().st_size
    digest.update(str(size).encode() + b"\n")
    with path.open("rb") as stream:
        if size <= WHOLE_BYTES:
            digest.update(stream.read())
        else:
            for number in range(BLOCKS):
                stream.seek((size - BLOCK) * number // (BLOCKS - 1))
                digest.update(stream.read(BLOCK))
    return digest.hexdigest()[:DIGITS]
