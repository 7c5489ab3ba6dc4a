"""A list of boxes: what was found, by which phrase, how surely."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

EDGE = 2


class BoxList(QTreeWidget):
    """Shows rows of words; as tall as they are, so that what is around it scrolls."""

    def __init__(self) -> None:
        super().__init__()
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setColumnCount(3)
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(32)
        for place, mode in enumerate(
            (
                QHeaderView.ResizeMode.Stretch,
                QHeaderView.ResizeMode.Stretch,
                QHeaderView.ResizeMode.ResizeToContents,
            )
        ):
            header.setSectionResizeMode(place, mode)

    def show_rows(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Show rows; the one that was chosen stays chosen where the rows are the same."""
        if rows == [_words(self.topLevelItem(n)) for n in range(self.topLevelItemCount())]:
            return
        self.blockSignals(True)
        self.clear()
        for row in rows:
            item = QTreeWidgetItem(list(row))
            for place, word in enumerate(row):
                item.setToolTip(place, word)
            item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.addTopLevelItem(item)
        self.blockSignals(False)
        height = sum(self.sizeHintForRow(n) for n in range(len(rows)))
        self.setFixedHeight(self.header().sizeHint().height() + height + EDGE)

    @property
    def chosen(self) -> int | None:
        """The row that is chosen."""
        items = self.selectedItems()
        return self.indexOfTopLevelItem(items[0]) if items else None

    def event(self, event: QEvent) -> bool:
        """Qt: with the focus here, Up and Down are the list's and not the window's."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
            if plain and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
                event.accept()
                return True
        return super().event(event)


def _words(item: QTreeWidgetItem) -> tuple[str, str, str]:
    return item.text(0), item.text(1), item.text(2)
