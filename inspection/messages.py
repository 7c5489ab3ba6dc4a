"""Sentences shown to operators: a code with parameters, worded in Korean and English.

Results store the code and its parameters, so a session written on a Korean station reads
in English too.
"""

from __future__ import annotations

import functools
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from inspection.names import told_name
from inspection.paths import config_path

Language = Literal["en", "ko"]


class _Params(dict[str, object]):
    """Values for placeholders; a dash for one that is not there, however it is to be formatted."""

    def __missing__(self, name: str) -> object:
        return self

    def __format__(self, how: str) -> str:
        return "–"


class Message(BaseModel):
    """A sentence by code: ``code`` is a key of ``configs/messages/``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    params: dict[str, str | int | float] = {}

    @field_validator("params", mode="before")
    @classmethod
    def _can_be_written(cls, params: object) -> object:
        # Most params name a file, and a file's name need not be text.
        if not isinstance(params, dict):
            return params
        return {
            key: told_name(value) if isinstance(value, str) else value
            for key, value in params.items()
        }

    def text(self, language: str = "en") -> str:
        """Return the sentence in ``language`` (``en`` or ``ko``)."""
        return self._filled(language)

    def text_with_hint(self, language: str = "en") -> str:
        """Return the sentence, followed by the hint where there is one."""
        return f"{self.text(language)} {self.hint(language)}".strip()

    def hint(self, language: str = "en") -> str:
        """Return what to do about it, or an empty string."""
        return self._filled(f"hint_{language}")

    def _filled(self, key: str) -> str:
        # An unknown code is a programming error; a test walks the sources for it. The operator
        # still gets the code rather than a crash inside an error path.
        wording = wordings().get(self.code, {"en": self.code, "ko": self.code}).get(key, "")
        # Sessions keep messages for years: a sentence may have got a placeholder since.
        return wording.format_map(_Params(self.params))


@functools.cache
def _catalogue() -> dict[str, dict[str, str] | str]:
    merged: dict[str, dict[str, str] | str] = {}
    for path in sorted(config_path("messages").glob("*.yaml")):
        merged |= yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return merged


@functools.cache
def wordings() -> dict[str, dict[str, str]]:
    """Return every message by code, read once from the files of ``configs/messages/``."""
    return {code: entry for code, entry in _catalogue().items() if isinstance(entry, dict)}


@functools.cache
def korean_by_english() -> dict[str, str]:
    """Return the Korean of every message and of the window's words, by the English."""
    windows = {words: entry for words, entry in _catalogue().items() if isinstance(entry, str)}
    return {wording["en"]: wording["ko"] for wording in wordings().values()} | windows
