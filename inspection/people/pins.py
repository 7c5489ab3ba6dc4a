"""PINs and passwords: which will do, and their argon2 hashes."""

from __future__ import annotations

import functools
import unicodedata

from inspection.errors import PeopleError

LONGEST_SECRET = 128
FEWEST_SIGNS = 3
"""Different ones in a PIN or password: 111111 is the first that anybody tries."""


def checked_hash(secret: str, name: str, shortest: int) -> str:
    """Return the hash of a PIN that somebody is to have.

    Raises
    ------
    PeopleError
        If it is too short, too long or too simple.
    """
    plain = plain_secret(secret)
    if not shortest <= len(plain) <= LONGEST_SECRET:
        raise PeopleError("secret_length", shortest=shortest, longest=LONGEST_SECRET)
    if len(set(plain)) < FEWEST_SIGNS or plain.casefold() == plain_secret(name).casefold():
        raise PeopleError("secret_simple", fewest=FEWEST_SIGNS)
    return _hash(plain)


def plain_secret(secret: str) -> str:
    """Return a PIN as it is hashed."""
    # One keyboard writes a Korean syllable as one letter, another as three.
    return unicodedata.normalize("NFKC", secret)


def is_right(hashed: str, secret: str) -> bool:
    """Return whether it is the PIN of a hash."""
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(hashed, plain_secret(secret)[: LONGEST_SECRET + 1])
    except (VerificationError, InvalidHashError):
        return False


@functools.cache
def nobodys_hash() -> str:
    """Return the hash of no PIN: to refuse an unknown name takes as long as a wrong PIN."""
    return _hash("")


def _hash(plain: str) -> str:
    # The window is painted before anybody signs in.
    from argon2 import PasswordHasher

    return PasswordHasher().hash(plain)
