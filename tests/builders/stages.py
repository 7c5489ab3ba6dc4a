"""What is to be seen on a stage, for whoever waits for a picture."""

from __future__ import annotations

from app.widgets.picture_view import PictureView


def picture_shown(stage: PictureView) -> bool:
    return not stage._image.pixmap().isNull()


def heat_visible(stage: PictureView) -> bool:
    return stage._heat.isVisible() and not stage._heat.pixmap().isNull()
