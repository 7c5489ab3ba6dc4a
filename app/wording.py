"""Words that several panels share, in the language the window is in."""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from inspection.classes import DefectClass, class_table
from inspection.errors import InspectionError
from inspection.messages import Language, Message
from inspection.paths import resource_path
from inspection.results import ChannelState, Judgement, Kind, SystemName, SystemState

log = logging.getLogger(__name__)
translate = QCoreApplication.translate

DASH = "–"


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
        self._translators = [_translator(path) for path in _translations(language)]
        for translator in self._translators:
            QCoreApplication.installTranslator(translator)


languages = Languages()


def _translations(language: Language) -> list[Path]:
    if language == "en":
        return []
    qt = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
    return [qt / f"qtbase_{language}.qm", resource_path("translations", f"station_{language}.qm")]


def _translator(path: Path) -> QTranslator:
    translator = QTranslator()
    if not translator.load(str(path)):
        log.warning("no translation %s", path)
    return translator


def message_text(message: Message) -> str:
    """Return a message's sentence in the window's language."""
    return message.text(languages.current)


def error_text(error: InspectionError) -> str:
    """Return an error's sentence and hint in the window's language."""
    return error.text(languages.current)


def class_row(name: str | None) -> DefectClass | None:
    """Return a class's row of the class table, or None for a name it does not have."""
    return class_table().rows.get(name or "")


def class_text(name: str | None) -> str:
    """Return a class's operator-visible name; a name without a row as it is."""
    row = class_row(name)
    if row is not None:
        return row.name[languages.current]
    if name in ("normal", "defect"):
        return view_text(name == "defect")
    return name or DASH


def view_text(defect: bool) -> str:
    """Return what the autoencoder says of one view."""
    return translate("Wording", "Defect") if defect else translate("Wording", "Normal")


def kind_text(kind: Kind) -> str:
    """Return a verdict's name."""
    return {
        "normal": translate("Wording", "Normal"),
        "internal_defect": translate("Wording", "Internal defect"),
        "external_defect": translate("Wording", "External defect"),
        "composite_defect": translate("Wording", "Composite defect"),
        "review": translate("Wording", "Review"),
        "not_inspected": translate("Wording", "Not inspected"),
    }[kind]


def judgement_text(judgement: Judgement) -> str:
    """Return a system's judgement."""
    return kind_text("review") if judgement == "review" else view_text(judgement == "defect")


def system_text(system: SystemName) -> str:
    """Return a system's name."""
    return translate("Wording", "Ensemble") if system == "ensemble" else system.upper()


def state_text(state: SystemState) -> str:
    """Return the state of a system on one battery."""
    return {
        "queued": translate("Wording", "Queued"),
        "running": translate("Wording", "Running"),
        "done": translate("Wording", "Done"),
        "failed": translate("Wording", "Failed"),
        "cancelled": translate("Wording", "Cancelled"),
        "skipped": translate("Wording", "Skipped"),
        "not_installed": translate("Wording", "Model not installed"),
        "off": translate("Wording", "Switched off"),
    }[state]


def not_yet_text() -> str:
    """Return what stands where nothing has been inspected."""
    return translate("Wording", "Not inspected yet")


def channel_text(state: ChannelState) -> str:
    """Return what one channel of the ensemble says."""
    return {
        "normal": translate("Wording", "Normal"),
        "defect": translate("Wording", "Defect"),
        "uncertain": translate("Wording", "Uncertain"),
        "missing": translate("Wording", "No images"),
        "failed": translate("Wording", "Failed"),
    }[state]


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


def slot_text(slot: str) -> str:
    """Return what the model in a slot is for."""
    return {
        "ct_cnn": translate("Wording", "CT classifier"),
        "rgb_ae": translate("Wording", "RGB autoencoder"),
        "ct_ae": translate("Wording", "CT autoencoder"),
        "vlm": translate("Wording", "VLM"),
        "vlg": translate("Wording", "VLG"),
        "bert": translate("Wording", "Text encoder of the VLG (BERT)"),
    }[slot]


def score_text(value: float | None, digits: int = 3) -> str:
    """Return a score, or a dash where there is none."""
    return DASH if value is None else f"{value:.{digits}f}"
