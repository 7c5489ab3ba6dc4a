"""What is laid over the pictures, the same on every one of them."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction

from app.people.region_marks import RegionMarks


class Layers(QObject):
    """Heat-map, its strength in percent, and boxes; none of them while a key is held.

    Parameters
    ----------
    overlay, boxes : the window's actions that switch them
    marks : the regions that people mark
    """

    changed = Signal()
    opacity_changed = Signal(int)

    def __init__(
        self, overlay: QAction, boxes: QAction, marks: RegionMarks, opacity: int, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.marks = marks
        self._overlay, self._boxes = overlay, boxes
        self._bare = False
        self.opacity = opacity
        overlay.toggled.connect(self.changed)
        boxes.toggled.connect(self.changed)

    @property
    def bare(self) -> bool:
        """True while nothing is to be laid over a picture."""
        return self._bare

    @property
    def heat(self) -> bool:
        """True where heat-maps are shown."""
        return self._overlay.isChecked() and not self._bare

    @property
    def boxes(self) -> bool:
        """True where boxes are shown."""
        return self._boxes.isChecked() and not self._bare

    def set_bare(self, bare: bool) -> None:
        """Show the bare pictures while a key is held."""
        self._bare = bare
        self.changed.emit()

    def set_opacity(self, opacity: int) -> None:
        """Set the strength of the heat-maps."""
        # Two sliders follow each other: what is the same is no news.
        if opacity != self.opacity:
            self.opacity = opacity
            self.opacity_changed.emit(opacity)
            self.changed.emit()
