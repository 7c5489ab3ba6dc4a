"""The sheet of keys."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QGridLayout, QWidget

from app.dialogs.frame import DialogFrame
from app.widgets.panel import label


class ShortcutsDialog(DialogFrame):
    """Lists the keys of the window's actions, as they are."""

    def __init__(
        self, parent: QWidget, groups: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    ) -> None:
        super().__init__(parent, width=720)
        self.setWindowTitle(self.tr("Keys"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(7)
        rows = [0, 0]
        for place, (title, entries) in enumerate(groups):
            side = place % 2
            grid.addWidget(label("section", text=title), rows[side], side * 3, 1, 2)
            rows[side] += 1
            for name, keys in entries:
                grid.addWidget(label("kbd", text=keys), rows[side], side * 3)
                grid.addWidget(label(text=name), rows[side], side * 3 + 1)
                rows[side] += 1
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(4, 1)
        grid.setColumnMinimumWidth(2, 24)
        self.body.addLayout(grid)
        self.body.addStretch(1)
        self.add_button(self.tr("Close"), self.accept, primary=True)
