"""Colours, palette and stylesheet of the window, light and dark, and its icons."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from string import Template

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QGuiApplication,
    QIcon,
    QPainter,
    QPalette,
    QPixmap,
)
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from app.settings import Theme
from app.tones import Tone
from inspection.paths import resource_path

FONT_FAMILY = "Station Gothic"
ICON_SIDES = (16, 20, 32, 64)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The colours of one theme. Text on ``bg``, ``surface`` and ``raised`` reaches 4.5:1."""

    bg: str
    surface: str
    raised: str
    hover: str
    border: str
    text: str
    muted: str
    accent: str
    on_accent: str
    selection: str
    success: str
    warning: str
    critical: str
    review: str
    neutral: str
    stage: str

    def tone(self, tone: Tone) -> QColor:
        """Return the colour of a tone."""
        return QColor(getattr(self, tone))


DARK = Tokens(
    bg="#12151a",
    surface="#1a1e25",
    raised="#232932",
    hover="#2c343f",
    border="#333c48",
    text="#e7ebf0",
    muted="#9ba6b4",
    accent="#4f9dff",
    on_accent="#08111d",
    selection="#24405f",
    success="#46c07a",
    warning="#f2ae3d",
    critical="#ff6b6b",
    review="#b79cff",
    neutral="#8d98a6",
    stage="#08090b",
)
LIGHT = Tokens(
    bg="#e9edf2",
    surface="#ffffff",
    raised="#f3f6f9",
    hover="#e6ebf1",
    border="#cbd3dc",
    text="#19202a",
    muted="#56616e",
    accent="#1663d6",
    on_accent="#ffffff",
    selection="#cfe1fb",
    success="#15763f",
    warning="#8f5400",
    critical="#c02626",
    review="#6637c4",
    neutral="#66717e",
    stage="#14171c",
)

_current = DARK


def tokens() -> Tokens:
    """Return the colours in use."""
    return _current


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Dress the application; ``system`` follows the desktop's light or dark."""
    global _current
    dark = theme == "dark" or (
        theme == "system" and QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    )
    _current = DARK if dark else LIGHT
    # They were drawn in the other theme's colours.
    icon.cache_clear()
    palette = QPalette()
    Role = QPalette.ColorRole
    roles = {
        Role.Window: _current.bg,
        Role.WindowText: _current.text,
        Role.Base: _current.surface,
        Role.AlternateBase: _current.raised,
        Role.ToolTipBase: _current.raised,
        Role.ToolTipText: _current.text,
        Role.PlaceholderText: _current.muted,
        Role.Text: _current.text,
        Role.Button: _current.raised,
        Role.ButtonText: _current.text,
        Role.BrightText: _current.critical,
        Role.Link: _current.accent,
        Role.Highlight: _current.selection,
        Role.HighlightedText: _current.text,
        Role.Light: _current.raised,
        Role.Midlight: _current.raised,
        Role.Mid: _current.border,
        Role.Dark: _current.border,
        Role.Shadow: _current.bg,
        Role.Accent: _current.accent,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (Role.WindowText, Role.Text, Role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(_current.neutral))
    app.setPalette(palette)
    # Style sheets take pictures from files only, so the two drawn marks exist in both themes.
    shade = "dark" if dark else "light"
    marks = {
        "check": resource_path("icons", f"mark-check-{shade}.svg").as_posix(),
        "arrow": resource_path("icons", f"mark-down-{shade}.svg").as_posix(),
    }
    sheet = resource_path("style", "station.qss").read_text(encoding="utf-8")
    app.setStyleSheet(Template(sheet).substitute(asdict(_current), **marks))


def install_fonts(app: QApplication) -> None:
    """Make Korean readable everywhere: the bundled font serves where the system has none."""
    system_has_korean = bool(QFontDatabase.families(QFontDatabase.WritingSystem.Korean))
    for name in ("StationGothic-Regular.ttf", "StationGothic-Bold.ttf"):
        QFontDatabase.addApplicationFont(str(resource_path("fonts", name)))
    font = QFont(app.font())
    # One family for both languages, so that a switch of language moves nothing. Text sizes are
    # in points: Qt scales them with the screen.
    families = [font.family(), FONT_FAMILY] if system_has_korean else [FONT_FAMILY]
    font.setFamilies(families)
    font.setPointSizeF(9.75)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    app.setFont(font)


@cache
def icon(name: str, colour: str = "") -> QIcon:
    """Return an icon of ``resources/icons`` in a colour, by default the text's.

    Parameters
    ----------
    name : file name without suffix
    colour : ``#rrggbb``; the icon is dimmed where its button is disabled
    """
    made = QIcon()
    source = resource_path("icons", f"{name}.svg").read_text(encoding="utf-8")
    for mode, shade in (
        (QIcon.Mode.Normal, colour or _current.text),
        (QIcon.Mode.Disabled, _current.border),
    ):
        renderer = QSvgRenderer(QByteArray(source.replace("currentColor", shade).encode()))
        for side in ICON_SIDES:
            pixmap = QPixmap(side, side)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            renderer.render(painter, QRectF(0, 0, side, side))
            painter.end()
            made.addPixmap(pixmap, mode)
    return made
