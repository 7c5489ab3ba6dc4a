"""What Windows shows of a program: its icon, and its version under Properties."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path

ICON_SIDES = (16, 24, 32, 48, 64, 128, 256)
ICON_COLOUR = "#4f9dff"
NAMES = {
    "station": "Battery inspection station (command line)",
    "station-gui": "Battery inspection station",
    "trainer": "Battery inspection station (trainer)",
}
VERSION_FILE = """\
VSVersionInfo(
  ffi=FixedFileInfo(filevers={numbers}, prodvers={numbers}, mask=0x3F, OS=0x40004, fileType=0x1),
  kids=[
    StringFileInfo([StringTable("040904B0", [
      StringStruct("FileDescription", {description!r}),
      StringStruct("FileVersion", {text!r}),
      StringStruct("InternalName", {name!r}),
      StringStruct("LegalCopyright", "Apache License 2.0"),
      StringStruct("OriginalFilename", {file!r}),
      StringStruct("ProductName", "Battery inspection station"),
      StringStruct("ProductVersion", {text!r}),
    ])]),
    VarFileInfo([VarStruct("Translation", [1033, 1200])]),
  ],
)
"""


def windows_version(build: Path, name: str) -> str | None:
    """Write a program's version information and return its path; None where it is not Windows."""
    if sys.platform != "win32":
        return None
    path = build / f"{name}-version.txt"
    path.write_text(version_text(name, version("battery-station")), encoding="utf-8")
    return str(path)


def version_text(name: str, text: str) -> str:
    """Return the version information of a program."""
    numbers = [int(number) for number in re.findall(r"\d+", text)[:4]]
    return VERSION_FILE.format(
        numbers=tuple(numbers + [0] * (4 - len(numbers))),
        description=NAMES[name],
        text=text,
        name=name,
        file=f"{name}.exe",
    )


def windows_icon(source: Path, build: Path) -> str | None:
    """Draw the icon, which the setup program has as well; return None where it is not Windows."""
    if sys.platform != "win32":
        return None
    build.mkdir(exist_ok=True)
    return str(draw_icon(source, build / "station.ico"))


def draw_icon(source: Path, icon: Path) -> Path:
    """Draw an SVG file in every size that Windows asks for, into one file."""
    from io import BytesIO

    from PIL import Image
    from PySide6.QtCore import QBuffer, QByteArray, QRectF, Qt
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    svg = source.read_text(encoding="utf-8").replace("currentColor", ICON_COLOUR)
    renderer = QSvgRenderer(QByteArray(svg.encode()))
    drawn = []
    for side in ICON_SIDES:
        image = QImage(side, side, QImage.Format.Format_ARGB32)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        renderer.render(painter, QRectF(0, 0, side, side))
        painter.end()
        buffer = QBuffer()
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        image.save(buffer, "PNG")
        drawn.append(Image.open(BytesIO(buffer.data().data())))
    sizes = [(side, side) for side in ICON_SIDES]
    drawn[-1].save(icon, format="ICO", sizes=sizes, append_images=drawn[:-1])
    return icon
