"""Names of files as text that can be stored, logged and shown, whatever bytes they are.

Linux allows any bytes in a name; a zip packed on a Korean Windows leaves them in cp949. Python
hands out what is not UTF-8 as lone surrogates, which open the file and can be written nowhere.
"""

from __future__ import annotations

import os
import re

_SURROGATES = re.compile("[\ud800-\udfff]")
# UTF-8 of three bytes and more is no accident: such a name is UTF-8 with a wrong byte in it.
_SURELY_UTF8 = re.compile("[\u0800-\ud7ff\ue000-\U0010ffff]")


def legible(name: str) -> str:
    """Return a name as somebody once wrote it: to find numbers and letters in, not to tell it by.

    Read as cp949 where it is not UTF-8; what is neither is replaced.
    """
    return name if _is_text(name) else _from_cp949(name) or _SURROGATES.sub("\ufffd", name)


def told_name(path: str) -> str:
    """Return a name or a path as results, messages and the window call it.

    What is UTF-8 stays as it is. A part that is not becomes ``(cp949) 슬라이스_003.jpg``, or
    ``(bytes) a%B9.jpg`` where it is not cp949 either: the same text for the same name, and another
    one than that of a file beside it whose name is UTF-8.
    """
    if _is_text(path):
        return path
    return "/".join(part if _is_text(part) else _marked(part) for part in path.split("/"))


def _is_text(name: str) -> bool:
    return name.isascii() or _SURROGATES.search(name) is None


def _from_cp949(name: str) -> str | None:
    if _SURELY_UTF8.search(name):
        return None
    try:
        return os.fsencode(name).decode("cp949")
    except UnicodeError:
        return None


def _marked(name: str) -> str:
    if (korean := _from_cp949(name)) is not None:
        return f"(cp949) {korean}"
    # Half of a UTF-16 pair, as Windows allows it, has no byte of its own.
    coded = _SURROGATES.sub(
        lambda found: (
            f"%{ord(found[0]) - 0xDC00 if found[0] >= chr(0xDC80) else ord(found[0]):02X}"
        ),
        name.replace("%", "%25"),
    )
    return f"(bytes) {coded}"
