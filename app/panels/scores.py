"""How the lot's fused scores are spread: one bar for each tenth, coloured by verdict."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QColor, QShowEvent

from app.lot.review import BatteryView, Row
from app.panels.dock import DockPanel, DockPlace, PanelContext
from app.theme import tokens
from app.tones import Tone
from app.widgets.panel import column, label
from app.widgets.plots import dress_plot, new_plot, threshold_line
from inspection.records import Lot

BINS = 20
AXIS_WIDTH = 34
STACK: tuple[Tone, ...] = ("success", "review", "critical")


class ScoresPanel(DockPanel):
    """Histogram of the fused scores, stacked by verdict: normal, review, defect."""

    name = "scores"
    place = DockPlace("below", of="rgb", share=0.24)
    room = "makes"

    def __init__(self, context: PanelContext) -> None:
        super().__init__(context)
        self._rows: dict[str, Row] = {}
        self._current: str | None = None
        self._plot: Any = None
        self._layout = column(self, margin=10, gap=4)
        self._counts = label("muted", wrap=True)
        self._layout.addWidget(self._counts)
        controller = context.controller
        controller.lot_changed.connect(self._on_lot)
        controller.row_changed.connect(self._on_row)
        controller.current_changed.connect(self._on_current)
        controller.session_changed.connect(self.restyle)
        controller.policy_changed.connect(self.restyle)
        context.plots.ready.connect(self.restyle)
        self.retranslate()

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("Scores of the lot")

    def _on_lot(self, _lot: Lot, rows: list[Row]) -> None:
        self._rows = {row.battery_id: row for row in rows}
        self.retranslate()
        self.restyle()

    def _on_row(self, row: Row) -> None:
        before = self._rows.get(row.battery_id)
        self._rows[row.battery_id] = row
        if before is None or (before.kind, before.fused_score) != (row.kind, row.fused_score):
            self.retranslate()
            self.restyle()

    def _on_current(self, view: BatteryView | None) -> None:
        current = view.row.battery_id if view else None
        if current != self._current:
            self._current = current
            self.restyle()

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        counts = {tone: len(self._scores(tone)) for tone in STACK}
        self._counts.setText(
            self.tr("Normal {normal} · Review {review} · Defect {defect}").format(
                normal=counts["success"], review=counts["review"], defect=counts["critical"]
            )
        )

    def showEvent(self, event: QShowEvent) -> None:
        """Qt: draw what changed while the dock was hidden."""
        super().showEvent(event)
        self.restyle()

    def _scores(self, tone: Tone) -> list[float]:
        return [
            row.fused_score
            for row in self._rows.values()
            if row.fused_score is not None and _tone(row) == tone
        ]

    def restyle(self) -> None:
        """Draw the scores in the theme's colours; nothing while the dock is hidden."""
        # Many batteries change while the dock is behind another: drawn when it is shown.
        if not self.isVisible():
            return
        pg = self.context.plots.ask()
        if pg is None:
            return
        if self._plot is None:
            self._plot = new_plot(pg, AXIS_WIDTH)
            self._layout.addWidget(self._plot, 1)
        import numpy as np

        colours = tokens()
        policy = self.context.controller.policy_shown.inspector
        dress_plot(self._plot, ("left", "bottom"))
        base = np.zeros(BINS)
        edges = np.linspace(0.0, 1.0, BINS + 1)
        for tone in STACK:
            counts, _ = np.histogram(self._scores(tone), bins=edges)
            self._plot.addItem(
                pg.BarGraphItem(
                    x0=edges[:-1] + 0.004,
                    x1=edges[1:] - 0.004,
                    y0=base,
                    height=counts,
                    brush=colours.tone(tone),
                    pen=pg.mkPen(None),
                )
            )
            base = base + counts
        self._plot.addItem(threshold_line(pg, policy.weighted_average.threshold, 90))
        row = self._rows.get(self._current or "")
        if row is not None and row.fused_score is not None:
            pen = pg.mkPen(QColor(colours.accent), width=2)
            self._plot.addItem(pg.InfiniteLine(pos=row.fused_score, angle=90, pen=pen))
        self._plot.setRange(xRange=(0, 1), yRange=(0, max(4.0, base.max() * 1.1)), padding=0.01)


def _tone(row: Row) -> Tone | None:
    if row.kind in (None, "not_inspected"):
        return None
    if row.kind == "normal":
        return "success"
    return "review" if row.kind == "review" else "critical"
