"""The station's key, with which it seals what it writes, and the keys whose seals count."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.atomic import sync_folder
from inspection.config import load_keeping
from inspection.errors import SealError
from inspection.paths import data_folder

if TYPE_CHECKING:
    # The window is painted before anything is signed: cryptography is imported by what needs it.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

KEYS_NAME = "keys"
PRIVATE_NAME = "station.pem"
_DOMAIN = b"battery-station seal 1\n"
# Signed before the hash, so that a signature that the key makes for anything else is none here.


@dataclass(frozen=True, slots=True)
class StationKey:
    """A key that signs; ``public`` is its other half, as base64."""

    private: Ed25519PrivateKey
    public: str

    def sign(self, digest: str) -> str:
        """Return the signature over a hash, as base64."""
        signature = self.private.sign(_DOMAIN + digest.encode("ascii"))
        return base64.b64encode(signature).decode("ascii")


def station_key() -> StationKey:
    """Return the station's key; made where there is none yet.

    Raises
    ------
    SealError
        If the key cannot be read, or not be made.
    """
    path = data_folder() / KEYS_NAME / PRIVATE_NAME
    try:
        if not path.exists():
            _make_key(path)
        return _read_key(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, TypeError) as error:
        problem = getattr(error, "strerror", None) or "-"
        raise SealError("seal_key_unreadable", path=str(path), problem=problem) from error


def fingerprint(public: str) -> str:
    """Return the short name of a public key: ``SHA256:`` and the digits of its hash."""
    return f"SHA256:{hashlib.sha256(base64.b64decode(public)).hexdigest()}"


def trusted_fingerprints() -> frozenset[str]:
    """Return the keys whose seals count: those the site names, else the station's own.

    Nothing is made: where nothing was ever sealed, none counts.
    """
    named = load_keeping().trusted_keys
    return frozenset(named) if named else station_fingerprint()


def station_fingerprint() -> frozenset[str]:
    """Return the station's own key; empty where it has none yet, and then none is made.

    Nor does another account, which only reads, have one; and one that is damaged vouches for
    nothing, which is no reason not to read.
    """
    path = data_folder() / KEYS_NAME / PRIVATE_NAME
    if not os.access(path, os.R_OK):
        return frozenset()
    try:
        return frozenset({fingerprint(station_key().public)})
    except SealError:
        return frozenset()


def is_signed(public: str, digest: str, signature: str) -> bool:
    """Return whether a signature over a hash was made with the other half of a public key."""
    from cryptography.exceptions import InvalidSignature

    try:
        _public_key(public).verify(
            base64.b64decode(signature, validate=True), _DOMAIN + digest.encode("ascii")
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _make_key(path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.chmod(0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link, not a replace: of two programs that start at once, one's key stays.
            os.link(temporary, path)
        except FileExistsError:
            return
        except OSError:
            # A file system without links.
            if path.exists():
                return
            temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@functools.lru_cache(maxsize=4)
def _read_key(path: Path, _changed: int) -> StationKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(private, Ed25519PrivateKey):
        raise TypeError("not an Ed25519 key")
    public = private.public_key().public_bytes_raw()
    return StationKey(private, base64.b64encode(public).decode("ascii"))


@functools.lru_cache(maxsize=64)
def _public_key(public: str) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
