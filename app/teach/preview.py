"""What will be used of the chosen batteries and what is left out, with a look at some images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from app.tasks import TaskPool, Ticket
from app.widgets.panel import column, label
from app.wording import message_text
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.records import Battery, ImageSource, Lot, Modality

SHOWN = 12
SIDE = 128
PAUSE_MS = 250
LEFT_OUT_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Preview:
    """What was found.

    Parameters
    ----------
    pictures : an image each of some batteries
    """

    images: int
    batteries: int
    left_out: tuple[tuple[str, Message], ...]
    pictures: tuple[tuple[str, QImage], ...]


class PreviewPane(QWidget):
    """Looks again whenever the choice has rested for a moment, in a thread of its own.

    Parameters
    ----------
    lot : that is open
    pool : of the threads that read files
    """

    def __init__(self, lot: Lot, pool: TaskPool) -> None:
        super().__init__()
        self._lot, self._pool = lot, pool
        self._ticket: Ticket | None = None
        self._wanted: tuple[tuple[str, ...], Modality] = ((), "rgb")
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._look)
        self._used = label("section", text=self.tr("Used"))
        self.pictures = QListWidget()
        self.pictures.setViewMode(QListWidget.ViewMode.IconMode)
        self.pictures.setIconSize(QSize(SIDE, SIDE))
        self.pictures.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.pictures.setMovement(QListWidget.Movement.Static)
        self.pictures.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.pictures.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._left = label("section", text=self.tr("Left out"))
        self.left_out = QListWidget()
        self.left_out.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.left_out.setWordWrap(True)
        self.left_out.setMaximumHeight(120)
        column(self, self._used, (self.pictures, 1), self._left, self.left_out, margin=0)
        self.show_preview(Preview(0, 0, (), ()))

    def look_at(self, batteries: tuple[str, ...], modality: Modality) -> None:
        """Look at the images of these batteries, once no other choice follows."""
        self._wanted = batteries, modality
        self._pause.start()

    def stop(self) -> None:
        """Forget what is being looked at."""
        self._pause.stop()
        if self._ticket is not None:
            self._ticket.cancel()
            self._ticket = None

    def _look(self) -> None:
        self.stop()
        work = partial(_preview, self._lot, *self._wanted)
        self._ticket = self._pool.submit(work, self.show_preview, self._on_failed)

    def _on_failed(self, error: Exception) -> None:
        # What cannot be looked at is told by the trainer, which needs it.
        problem = error.message if isinstance(error, InspectionError) else None
        left = ((self._lot.root.name, problem),) if problem is not None else ()
        self.show_preview(Preview(0, 0, left, ()))

    def show_preview(self, found: Preview) -> None:
        """Show what was found."""
        words = self.tr("Used: {images} images of {batteries} batteries")
        self._used.setText(words.format(images=found.images, batteries=found.batteries))
        self.pictures.clear()
        for name, image in found.pictures:
            item = QListWidgetItem(QIcon(QPixmap.fromImage(image)), name)
            self.pictures.addItem(item)
        self._left.setText(self.tr("Left out: {count}").format(count=len(found.left_out)))
        self.left_out.clear()
        for name, reason in found.left_out[:LEFT_OUT_SHOWN]:
            # Of an image the file's name: its folders would fill the line.
            item = QListWidgetItem(f"{name.rpartition('/')[2]}: {message_text(reason)}")
            item.setToolTip(name)
            self.left_out.addItem(item)
        self._left.setVisible(bool(found.left_out))
        self.left_out.setVisible(bool(found.left_out))


def _preview(lot: Lot, batteries: Sequence[str], modality: Modality) -> Preview:
    from inspection.lot.chosen import good_images

    good = good_images(lot, batteries, modality)
    known = {battery.battery_id: battery for battery in lot.batteries}
    names = list(good.used)
    left_out = list(good.left_out)
    pictures = []
    for name in names[:: -(-len(names) // SHOWN) or 1]:
        refs = good.used[name]
        try:
            pictures.append((name, _thumbnail(known[name], refs[len(refs) // 2].source, modality)))
        except InspectionError as error:
            left_out.append((name, error.message))
        except OSError as error:
            params: dict[str, str | int | float] = {"problem": error.strerror or str(error)}
            left_out.append((name, Message(code="teach_unreadable", params=params)))
    images = sum(map(len, good.used.values()))
    return Preview(images, len(good.used), tuple(left_out), tuple(pictures))


def _thumbnail(battery: Battery, source: ImageSource, modality: Modality) -> QImage:
    from app.widgets.grey_image import as_qimage
    from inspection.images.preprocess import load_image
    from inspection.images.stack_grey import GreyPolicy, StackWindow

    # Of a volume the whole stack would be read for its greys: too long for a look.
    deep = any(ref.section is not None for ref in battery.ct)
    window = None
    if modality == "ct" and not deep:
        window = StackWindow(battery.ct, GreyPolicy()).window
    data = load_image(source, modality=modality, fit=(2 * SIDE, 2 * SIDE), window=window)
    return as_qimage(data.pixels).scaled(
        SIDE,
        SIDE,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
