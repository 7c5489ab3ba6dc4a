"""Second page: how far the trainer is, and a button that stops it."""

from __future__ import annotations

from PySide6.QtWidgets import QProgressBar, QWidget

from app.widgets.panel import button, column, label, line
from app.wording import term
from inspection.modelstore.teaching import TeachEvent

STEPS = 1000


class WorkingPage(QWidget):
    """A stage, a bar, what is left of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = label("section")
        self._figures = label("muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.cancel = button(text=self.tr("Cancel"))
        told = label(
            "muted",
            text=self.tr("Nothing is changed before you use the model that comes out."),
            wrap=True,
        )
        column(
            self,
            None,
            line(self.stage, None, self._figures),
            line(self.bar, self.cancel),
            told,
            None,
            margin=24,
        )

    def begin(self, sentence: str) -> None:
        """Start with an unknown amount of work."""
        self.stage.setText(sentence)
        self._figures.setText("")
        # Qt's way to say that nobody knows how long.
        self.bar.setRange(0, 0)
        self.cancel.setEnabled(True)

    def show_event(self, event: TeachEvent) -> None:
        """Show where the trainer is."""
        self.stage.setText(term(f"teach_stage_{event.stage}"))
        self._figures.setText(figures_text(event, self.tr("about {seconds} s left")))
        if event.total:
            self.bar.setRange(0, STEPS)
            self.bar.setValue(round(STEPS * event.done / event.total))
        else:
            self.bar.setRange(0, 0)


def figures_text(event: TeachEvent, left: str) -> str:
    """Return how much of a stage is done, and how long the rest takes."""
    parts = [f"{event.done} / {event.total}"] if event.total else []
    if event.seconds_left is not None:
        parts.append(left.format(seconds=round(event.seconds_left)))
    return " · ".join(parts)
