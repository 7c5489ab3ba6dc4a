"""Words that several panels share, in the language the window is in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from inspection.classes import DefectClass, class_table
from inspection.errors import InspectionError
from inspection.messages import Language, Message, korean_by_english, wordings
from inspection.people.person import Person, Role
from inspection.results import (
    ChannelState,
    ImageResult,
    Judgement,
    Kind,
    SystemName,
    SystemState,
    VlgImage,
)
from inspection.session.record import Meaning

if TYPE_CHECKING:
    from inspection.session.lock import Holder

log = logging.getLogger(__name__)
DASH = "–"


class CatalogueTranslator(QTranslator):
    """Looks the window's English up in ``configs/messages/``: there is no second store of words."""

    # Qt's signature; None lets Qt ask its own translation, and then take the English.
    def translate(  # type: ignore[override]
        self, context: str, source: str, disambiguation: str | None = None, n: int = -1
    ) -> str | None:
        """Return the Korean of ``source``, or None."""
        return korean_by_english().get(source)

    def isEmpty(self) -> bool:
        """Return False: Qt leaves an empty translator out."""
        return False


class Languages:
    """The window's language and its translators; one for the whole application."""

    def __init__(self) -> None:
        self.current: Language = "en"
        self._translators: list[QTranslator] = []

    def use(self, language: Language) -> None:
        """Switch; every widget gets a LanguageChange event and words itself again."""
        self.current = language
        QLocale.setDefault(QLocale("ko_KR" if language == "ko" else "en_US"))
        for translator in self._translators:
            QCoreApplication.removeTranslator(translator)
        self._translators = []
        if language == "ko":
            # The words of Qt's own dialogs come with Qt.
            folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
            of_qt = QTranslator()
            if not of_qt.load("qtbase_ko", folder):
                log.warning("no translation qtbase_ko in %s", folder)
            self._translators = [of_qt, CatalogueTranslator()]
        for translator in self._translators:
            QCoreApplication.installTranslator(translator)


languages = Languages()


def tr(english: str) -> str:
    """Return the window's words for ``english``, where no widget has a ``tr`` of its own."""
    return QCoreApplication.translate("", english)


def message_text(message: Message) -> str:
    """Return a message's sentence in the window's language."""
    return message.text(languages.current)


def error_text(error: InspectionError) -> str:
    """Return an error's sentence and hint in the window's language."""
    return error.text(languages.current)


def term(code: str) -> str:
    """Return a word that engine and window share, by its code."""
    return wordings()[code][languages.current]


def holder_text(holder: Holder | None) -> str:
    """Return who writes a session, as far as it is known."""
    if holder is None or not holder.user:
        return tr("by another program")
    return tr("by {user} on {host}").format(user=holder.user, host=holder.host)


def class_row(name: str | None) -> DefectClass | None:
    """Return a class's row of the class table, or None for a name it does not have."""
    return class_table().rows.get(name or "")


def class_text(name: str | None) -> str:
    """Return a class's operator-visible name; a name without a row as it is."""
    row = class_row(name)
    if row is not None:
        return row.name[languages.current]
    if name in ("normal", "defect"):
        return judgement_text("defect" if name == "defect" else "normal")
    return name or DASH


def spot_words(image: VlgImage, number: int) -> str:
    """Return what a box of the VLG was named, and what else it may be."""
    named = class_text(image.defect_types[number])
    others = [
        f"{class_text(other.defect_type)} {score_text(other.score, 2)}"
        for other in image.alternatives_of(number)
    ]
    if not others:
        return named
    return tr("{named}, or {others}").format(named=named, others=", ".join(others))


def kind_text(kind: Kind) -> str:
    """Return a verdict's name."""
    return term(f"kind_{kind}")


def judgement_text(judgement: Judgement) -> str:
    """Return a system's judgement."""
    return term(f"judgement_{judgement}")


def system_text(system: SystemName) -> str:
    """Return a system's name."""
    return term(f"system_{system}")


def state_text(state: SystemState) -> str:
    """Return the state of a system on one battery."""
    return term(f"state_{state}")


def channel_text(state: ChannelState) -> str:
    """Return what one channel of the ensemble says."""
    return term(f"channel_{state}")


def role_text(role: Role) -> str:
    """Return a role's name."""
    return term(f"role_{role}")


def person_text(person: Person) -> str:
    """Return a person's name, with the role where there is one."""
    return f"{person.name} ({role_text(person.role)})" if person.role else person.name


def meaning_text(meaning: Meaning) -> str:
    """Return what a signature says."""
    return term(f"meaning_{meaning}")


def slot_text(slot: str) -> str:
    """Return what the model in a slot is for."""
    return term(f"slot_{slot}")


def not_yet_text() -> str:
    """Return what stands where nothing has been inspected."""
    return tr("Not inspected yet")


def score_and_threshold_text(image: ImageResult) -> str:
    """Return the score of one image beside the threshold that it was judged by."""
    return tr("Score {score} · threshold {threshold}").format(
        score=score_text(image.pred_score, 4), threshold=score_text(image.threshold, 4)
    )


def gate_text(image: ImageResult) -> str:
    """Return why nothing is said of an image: the checks that it did not pass."""
    return "\n".join(message_text(message) for message in image.gate)


def duration_text(seconds: float) -> str:
    """Return a span of time as ``m:ss`` or ``h:mm:ss``."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def size_text(count: int) -> str:
    """Return a number of bytes in the unit that fits."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def score_text(value: float | None, digits: int = 3) -> str:
    """Return a score, or a dash where there is none."""
    return DASH if value is None else f"{value:.{digits}f}"
