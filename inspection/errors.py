"""Errors an operator can act on, worded once in ``configs/messages/`` for both languages."""

from __future__ import annotations

from inspection.messages import Message


class InspectionError(Exception):
    """A failure with a sentence for the operator.

    Parameters
    ----------
    code : key of ``configs/messages/``
    params : values for the placeholders of that message
    """

    def __init__(self, code: str, **params: str | int | float) -> None:
        self.message = Message(code=code, params=params)
        super().__init__(code)

    def __str__(self) -> str:
        return self.message.text("en")

    def text(self, language: str = "en") -> str:
        """Return the sentence, followed by the hint where there is one."""
        return self.message.text_with_hint(language)


class LotError(InspectionError):
    """The lot folder cannot be used as a lot."""


class ImageError(InspectionError):
    """One image cannot be read or is not fit for inspection."""


class LabelError(InspectionError):
    """A label file cannot be read."""


class ConfigError(InspectionError):
    """A configuration file is missing, malformed or has an unknown key."""


class BundleError(InspectionError):
    """A model folder is incomplete, altered or of the wrong kind."""


class ModelMissingError(BundleError):
    """No model is installed for a system."""


class SessionError(InspectionError):
    """A session folder cannot be written, read or resumed."""


class ReportError(InspectionError):
    """A report cannot be written."""


class SealError(InspectionError):
    """What seals the station's records cannot be used."""


class PeopleError(InspectionError):
    """A person cannot sign in, or users cannot be changed."""


class ArchiveError(InspectionError):
    """A backup or a packed session cannot be written, or is not as it was sealed."""
