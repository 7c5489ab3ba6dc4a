"""How the lot's fused scores are spread: one bar for each tenth, coloured by verdict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtGui import QColor, QShowEvent

from app.review import Row
from app.theme import tokens
from app.tones import Tone
from app.widgets.panel import Panel, column, label
from app.widgets.plots import Plots, dress_plot, new_plot, threshold_line

BINS = 20
AXIS_WIDTH = 34
STACK: tuple[Tone, ...] = ("success", "review", "critical")


class ScoresPanel(Panel):
    """Histogram of the fused scores, stacked by verdict: normal, review, defect.

    Parameters
    ----------
    plots : gives out the plotting library
    """

    def __init__(self, plots: Plots) -> None:
        super().__init__()
        self._plots = plots
        plots.ready.connect(self._draw)
        self._threshold = 0.5
        self._rows: dict[str, Row] = {}
        self._current: str | None = None
        self._plot: Any = None
        self._layout = column(self, margin=10, gap=4)
        self._counts = label("muted", wrap=True)
        self._layout.addWidget(self._counts)
        self.retranslate()

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("Scores of the lot")

    def set_threshold(self, threshold: float) -> None:
        """Mark the threshold of the fused score."""
        if threshold != self._threshold:
            self._threshold = threshold
            self._refresh()

    def show_rows(self, rows: Iterable[Row]) -> None:
        """Show a lot."""
        self._rows = {row.battery_id: row for row in rows}
        self._refresh()

    def update_row(self, row: Row) -> None:
        """Show a battery's new score."""
        before = self._rows.get(row.battery_id)
        self._rows[row.battery_id] = row
        if before is None or (before.kind, before.fused_score) != (row.kind, row.fused_score):
            self._refresh()

    def set_current(self, battery_id: str | None) -> None:
        """Mark the current battery's score."""
        if battery_id != self._current:
            self._current = battery_id
            self._draw()

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        counts = {tone: len(self._scores(tone)) for tone in STACK}
        self._counts.setText(
            self.tr("Normal {normal} · Review {review} · Defect {defect}").format(
                normal=counts["success"], review=counts["review"], defect=counts["critical"]
            )
        )

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        self._draw()

    def showEvent(self, event: QShowEvent) -> None:
        """Qt: draw what changed while the dock was hidden."""
        super().showEvent(event)
        self._draw()

    def _refresh(self) -> None:
        self.retranslate()
        self._draw()

    def _scores(self, tone: Tone) -> list[float]:
        return [
            row.fused_score
            for row in self._rows.values()
            if row.fused_score is not None and _tone(row) == tone
        ]

    def _draw(self) -> None:
        if not self.isVisible():
            return
        pg = self._plots.ask()
        if pg is None:
            return
        if self._plot is None:
            self._plot = new_plot(pg, AXIS_WIDTH)
            self._layout.addWidget(self._plot, 1)
        import numpy as np

        colours = tokens()
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
        self._plot.addItem(threshold_line(pg, self._threshold, 90))
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
