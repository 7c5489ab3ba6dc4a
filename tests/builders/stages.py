"""What is to be seen on a stage, for whoever waits for a picture."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from app.widgets.picture_view import PictureView


def picture_shown(stage: PictureView) -> bool:
    return not stage._image.pixmap().isNull()


def heat_visible(stage: PictureView) -> bool:
    return stage._heat.isVisible() and not stage._heat.pixmap().isNull()


def greys_shown(stage: PictureView) -> np.ndarray:
    """Return the (h, w) greys that a stage shows."""
    image = stage._image.pixmap().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : image.width()].copy()


def readout(stage: PictureView) -> str:
    return stage.windowing.readout.text()


def drag_right(stage: PictureView, right: int, down: int) -> None:
    """Drag with the right button from the middle of the stage."""
    start = stage.viewport().rect().center()
    QTest.mousePress(stage.viewport(), Qt.MouseButton.RightButton, pos=start)
    for part in (2, 1):
        QTest.mouseMove(stage.viewport(), start + QPoint(right, down) / part)
    QTest.mouseRelease(
        stage.viewport(), Qt.MouseButton.RightButton, pos=start + QPoint(right, down)
    )
