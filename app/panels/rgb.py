"""RGB views: stage, view strip, and every view's score against the threshold."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from app.lot.review import BatteryView, ShownImage
from app.panels.dock import DockPlace, PanelContext
from app.panels.image_panel import DETAILS_HEIGHT, ImagePanel
from app.theme import tokens
from app.tones import image_tone
from app.widgets.panel import column, label
from app.widgets.plots import dress_plot, new_plot, threshold_line
from app.wording import not_yet_text, score_and_threshold_text

PLOT_HEIGHT = DETAILS_HEIGHT - 53
AXIS_WIDTH = 46


class RgbPanel(ImagePanel):
    """The exterior of the current battery."""

    name = "rgb"
    place = DockPlace("right", of="ct", share=0.44)
    slot = "rgb_ae"
    modality = "rgb"
    confirm = "confirm_view"

    def __init__(self, context: PanelContext) -> None:
        super().__init__(context)
        context.plots.ready.connect(self._draw_plot)
        context.actions["view_back"].triggered.connect(self.step_back)
        context.actions["view_on"].triggered.connect(self.step_on)
        self._foot.addWidget(self.add_strip("", ""))
        self._score = label("muted")
        self._foot.addWidget(self._score)
        holder = QWidget()
        holder.setFixedHeight(PLOT_HEIGHT)
        self._holder = column(holder, margin=0)
        self._foot.addWidget(holder)
        self._plot: Any = None
        self.retranslate()
        self.restyle()

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("RGB views")

    def groups_of(self, view: BatteryView) -> dict[str, tuple[ShownImage, ...]]:
        """Return the views as one strip."""
        return {"": view.rgb} if view.rgb else {}

    def worst_of(self, view: BatteryView) -> list[str]:
        """Return the worst views."""
        return view.result.worst_views if view.result else []

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        super().restyle()
        self._draw_plot()

    def _describe(self) -> None:
        super()._describe()
        result = self._current.result if self._current else None
        if result is not None and result.pred_score is not None:
            text = score_and_threshold_text(result)
        elif result is not None and result.gate:
            text = self.tr("Not judged")
        else:
            text = not_yet_text() if self._current else ""
        self._score.setText(text)
        self._draw_plot()

    def _draw_plot(self) -> None:
        scored = [
            (place, image)
            for place, image in enumerate(self._groups.get("", ()))
            if image.result is not None and image.result.pred_score is not None
        ]
        if self._plot is None and not scored:
            return
        pg = self.context.plots.ask()
        if pg is None:
            return
        if self._plot is None:
            self._plot = new_plot(pg, AXIS_WIDTH)
            self._plot.hideAxis("bottom")
            # Ticks inwards: the dock is narrow, and its numbers need the room.
            self._plot.getAxis("left").setStyle(tickLength=-4)
            self._plot.getPlotItem().setContentsMargins(0, 4, 0, 2)
            self._holder.addWidget(self._plot)
        colours = tokens()
        dress_plot(self._plot, ("left",))
        if not scored:
            return
        current = next((n for n, image in scored if image is self._current), None)
        self._plot.addItem(
            pg.BarGraphItem(
                x=[n for n, _ in scored],
                height=[image.result.pred_score for _, image in scored if image.result],
                width=0.7,
                brushes=[colours.tone(image_tone(image.result)) for _, image in scored],
                pens=[
                    pg.mkPen(QColor(colours.text), width=2) if n == current else pg.mkPen(None)
                    for n, _ in scored
                ],
            )
        )
        threshold = scored[0][1].result.threshold if scored[0][1].result else None
        if threshold is not None:
            self._plot.addItem(threshold_line(pg, threshold, 0))
        highest = max(image.result.pred_score or 0.0 for _, image in scored if image.result)
        count = len(self._groups[""])
        self._plot.setRange(
            xRange=(-0.5, count - 0.5), yRange=(0, 1.15 * max(highest, threshold or 0)), padding=0
        )

    def nothing(self) -> str:
        """Return why there is no view."""
        return self.tr("This battery has no RGB views.") if self._view else ""
