"""What is being done to a model, how far it is, and a button that stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QProgressBar, QWidget

from app.widgets.panel import button, column, label, line
from app.wording import size_text, term

if TYPE_CHECKING:
    from inspection.modelstore.install import InstallProgress

STEPS = 1000


class WorkProgress(QWidget):
    """A sentence, a bar and bytes; hidden while there is nothing to do."""

    def __init__(self) -> None:
        super().__init__()
        self._what = label()
        self.bytes = label("muted")
        self.cancel = button(text=self.tr("Cancel"))
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        head = line(self._what, None, self.bytes)
        column(self, head, line(self.bar, self.cancel), margin=0, gap=6)
        self.hide()

    def begin(self, sentence: str) -> None:
        """Start with an unknown amount of work."""
        self._what.setText(sentence)
        self.bytes.setText("")
        # Qt's way to say that nobody knows how long.
        self.bar.setRange(0, 0)

    def show_progress(self, progress: InstallProgress) -> None:
        """Show how far it is."""
        # Bytes may pass what an int of the bar holds.
        self.bar.setRange(0, STEPS)
        self.bar.setValue(round(STEPS * progress.done / max(1, progress.total)))
        done, total = size_text(progress.done), size_text(progress.total)
        self.bytes.setText(f"{term(f'model_phase_{progress.phase}')}  {done} / {total}")
