"""How far the run has come: bar, counts, speed, time left."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QProgressBar, QSizePolicy, QWidget

from app.lot.run_bridge import RunBridge
from app.widgets.panel import Panel, column, label, line
from app.wording import duration_text
from inspection.session.record import SessionRecord

REFRESH_MS = 500
# Finer than percent: a lot has tens of thousands of images.
STEPS = 1000


class RunProgress(Panel):
    """Reads the runner while it runs."""

    def __init__(self, runner: RunBridge) -> None:
        super().__init__()
        self._runner = runner
        # On the ground of the tool bar, not on a panel's.
        self.setProperty("role", "")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(260)
        self.setMaximumWidth(420)
        self._state = label()
        self._rate = label("muted")
        self._bar = QProgressBar()
        self._bar.setRange(0, STEPS)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(8)
        row = line(self._state, (QWidget(), 1), self._rate)
        column(self, row, self._bar, gap=4).setContentsMargins(8, 0, 8, 0)
        # Speed and time left change between two events as well.
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.retranslate)
        runner.progress_changed.connect(self._on_changed)
        self._followed: SessionRecord | None = None
        self.retranslate()

    def follow(self, record: SessionRecord | None) -> None:
        """Show how far another process has come with a session, in place of a run of one's own."""
        self._followed = record
        self.retranslate()

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        progress, phase = self._runner.progress, self._runner.phase
        if self._followed is not None and phase == "idle":
            rows = self._followed.batteries
            done = sum(row.state in ("done", "skipped") for row in rows)
            self._bar.setValue(round(STEPS * done / max(1, len(rows))))
            self._state.setText(self.tr("Followed {counts}").format(counts=f"{done} / {len(rows)}"))
            self._rate.setText("")
            for part in (self._state, self._rate, self._bar):
                part.show()
            return
        self._bar.setValue(round(progress.share * STEPS))
        counts = f"{progress.batteries} / {progress.total_batteries}"
        words = {
            "running": self.tr("Inspecting {counts}"),
            "paused": self.tr("Paused {counts}"),
            "cancelling": self.tr("Cancelling ... {counts}"),
            "idle": self.tr("Inspected {counts}"),
        }
        text = words[phase]
        if phase == "running" and self._runner.waiting is not None:
            text = self.tr("Waiting for the lot {counts}")
        self._state.setText(text.format(counts=counts))
        parts = []
        if progress.images and progress.seconds > 0:
            parts.append(self.tr("{rate} images/s").format(rate=f"{progress.rate:.1f}"))
        if phase in ("running", "paused") and progress.seconds_left is not None:
            left = duration_text(progress.seconds_left)
            parts.append(self.tr("{time} left").format(time=left))
        elif phase == "idle" and progress.seconds > 0:
            parts.append(duration_text(progress.seconds))
        self._rate.setText(" · ".join(parts))
        # The tool bar decides on its own whether this widget is shown; its content may hide.
        for part in (self._state, self._rate, self._bar):
            part.setVisible(progress.total_batteries > 0)

    def _on_changed(self) -> None:
        if self._runner.phase == "idle":
            self._timer.stop()
            self.retranslate()
        elif not self._timer.isActive():
            self._timer.start()
            self.retranslate()
