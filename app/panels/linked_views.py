"""Pictures that are looked at together: whatever is zoomed or moved in one is in all."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject

from app.widgets.picture_view import PictureView


class LinkedViews(QObject):
    """Keeps views of the same image on the same part of it."""

    def __init__(self, views: Sequence[PictureView], parent: QObject) -> None:
        super().__init__(parent)
        self._views = tuple(views)
        for view in self._views:
            view.looked.connect(self._on_looked)

    def _on_looked(self) -> None:
        moved = self.sender()
        assert isinstance(moved, PictureView)
        for view in self._views:
            if view is not moved:
                view.follow(moved)
