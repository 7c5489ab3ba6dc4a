"""Third page: the new model beside the one in use; its threshold is set here."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QListWidget,
    QListWidgetItem,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.teach.histogram import Histogram, scores_of
from app.widgets.panel import button, column, dress, label, line, table
from app.wording import DASH, message_text
from inspection.messages import Message
from inspection.modelstore.teaching import (
    Proposal,
    Rate,
    TeachResult,
    escapes,
    overkill,
    present_rates,
)

PICTURE = 150


class OutcomePage(QWidget):
    """What a teaching has come to."""

    threshold_wanted = Signal(float)
    """To be written into the model."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path()
        self.result: TeachResult | None = None
        self.written: float | None = None
        self._summary = label(wrap=True)
        self.figures = table("", self.tr("New model"), self.tr("In use"), wide=(0,))
        self.figures.setMaximumHeight(190)
        self.figures.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._new_title = label("muted", text=self.tr("Scores of the new model"))
        self.new = Histogram(movable=True)
        self._old_title = label("muted", text=self.tr("Scores of the model in use"))
        self.old = Histogram(movable=False)
        self.proposals = QComboBox()
        self.set = button(text=self.tr("Set this threshold"))
        self.set.setShortcut("Ctrl+S")
        self._at = label("muted", wrap=True)
        self._misses_title = label(
            "muted",
            text=self.tr("Good images nearest to an alarm; hold the mouse on one to see why"),
        )
        self.misses = QListWidget()
        self.misses.setViewMode(QListWidget.ViewMode.IconMode)
        self.misses.setIconSize(QSize(PICTURE, PICTURE))
        self.misses.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.misses.setMovement(QListWidget.Movement.Static)
        self.misses.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.misses.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.misses.setMouseTracking(True)
        self.misses.setMinimumHeight(PICTURE + 60)
        self._marked: QListWidgetItem | None = None
        self.misses.itemEntered.connect(self._show_map)
        self.misses.viewportEntered.connect(partial(self._show_map, None))
        left, right = QVBoxLayout(), QVBoxLayout()
        for layout, parts in (
            (left, (self._new_title, self.new)),
            (right, (self._old_title, self.old)),
        ):
            for part in parts:
                layout.addWidget(part, 1 if isinstance(part, Histogram) else 0)
        self._scores = QWidget()
        pair = line(gap=16)
        pair.addLayout(left, 3)
        pair.addLayout(right, 2)
        column(
            self._scores,
            (pair, 1),
            line(label(text=self.tr("Threshold")), self.proposals, self.set, (self._at, 1)),
            margin=0,
        )
        column(
            self,
            self._summary,
            self.figures,
            (self._scores, 1),
            self._misses_title,
            (self.misses, 1),
            margin=0,
        )
        self.new.moved.connect(self._on_moved)
        self.proposals.activated.connect(self._on_proposal)
        self.set.clicked.connect(self._on_set)

    @property
    def threshold(self) -> float | None:
        """Where the line stands; None of a gate."""
        return self.new.threshold

    @property
    def unset(self) -> bool:
        """True where the line stands elsewhere than in the model."""
        return self.threshold is not None and self.threshold != self.written

    def show_result(self, folder: Path, result: TeachResult, threshold: float | None) -> None:
        """Show a teaching; ``threshold`` is what its model holds now."""
        self._folder, self.result, self.written = folder, result, threshold
        taught = sum(row.part == "taught" for row in result.used)
        held = len(result.used) - taught
        words = self.tr(
            "Taught on {taught} batteries, judged on {held} others that it has not seen; "
            "{left} left out; {seconds} s."
        )
        self._summary.setText(
            words.format(
                taught=taught,
                held=held,
                left=len(result.left_out),
                seconds=round(result.seconds),
            )
        )
        is_detector = threshold is not None
        self._scores.setVisible(is_detector)
        self._misses_title.setVisible(is_detector)
        self.misses.setVisible(is_detector)
        self.proposals.clear()
        for proposal in result.proposals:
            self.proposals.addItem(self._proposal_text(proposal), proposal.threshold)
        good = scores_of(result.held_out, present=False)
        bad = scores_of(result.defects, present=False)
        self.new.show_scores(good, bad, threshold)
        present = result.present
        self._old_title.setVisible(present is not None)
        self.old.setVisible(present is not None)
        if present is not None:
            good = scores_of(result.held_out, present=True)
            bad = scores_of(result.defects, present=True)
            self.old.show_scores(good, bad, present.threshold)
        self._marked = None
        self.misses.clear()
        for miss in result.misses:
            item = QListWidgetItem(f"{miss.battery} · {miss.score:.3g}")
            item.setToolTip(miss.image)
            item.setIcon(self._icon(miss.picture))
            item.setData(Qt.ItemDataRole.UserRole, (miss.picture, miss.map))
            self.misses.addItem(item)
        self._describe()

    def take_threshold(self, threshold: float) -> None:
        """The model holds this threshold now."""
        self.written = threshold
        self._describe()

    def _proposal_text(self, proposal: Proposal) -> str:
        if proposal.method == "mean_std":
            return self.tr("mean + {k} spreads").format(k=f"{proposal.value:g}")
        if proposal.value >= 100:
            return self.tr("above every held-out image")
        return self.tr("above {percent} % of them").format(percent=f"{proposal.value:g}")

    def _on_moved(self) -> None:
        self.proposals.setCurrentIndex(-1)
        self._describe()

    def _on_proposal(self, place: int) -> None:
        self.new.set_threshold(self.proposals.itemData(place))
        self._describe()

    def _on_set(self) -> None:
        if self.threshold is not None:
            self.threshold_wanted.emit(self.threshold)

    def _icon(self, name: str) -> QIcon:
        pixmap = QPixmap(str(self._folder / name))
        return QIcon(pixmap)

    def _show_map(self, item: QListWidgetItem | None) -> None:
        """Lay the heat-map over the picture under the mouse."""
        for one, place in ((self._marked, 0), (item, 1)):
            if one is not None:
                one.setIcon(self._icon(one.data(Qt.ItemDataRole.UserRole)[place]))
        self._marked = item

    def _describe(self) -> None:
        result, threshold = self.result, self.threshold
        if result is None:
            return
        self.set.setEnabled(self.unset)
        self.figures.clear()
        if threshold is not None:
            self._describe_detector(result, threshold)
        for figure in result.gate:
            told = Message(
                code=figure.name, params={"caught": figure.caught, "tried": figure.tried}
            )
            item = QTreeWidgetItem([message_text(told)])
            item.setFirstColumnSpanned(True)
            self.figures.addTopLevelItem(item)

    def _describe_detector(self, result: TeachResult, threshold: float) -> None:
        unmeasured = self.tr("not measured: no decided defects")
        present, rates = result.present, present_rates(result)
        known, missed = overkill(result, threshold), escapes(result, threshold)
        rows = [
            (
                self.tr("Threshold"),
                f"{threshold:.4g}",
                f"{present.threshold:.4g}" if present else DASH,
            ),
            (
                self.tr("Good batteries called defective"),
                rate_text(known),
                rate_text(rates[0]) if rates else DASH,
            ),
            (
                self.tr("Decided defects that escape"),
                rate_text(missed) if missed else unmeasured,
                (rate_text(rates[1]) if rates[1] else unmeasured) if rates else DASH,
            ),
        ]
        for trial in result.trials:
            rows.append(
                (
                    self.tr("Painted defects told from good ones ({detector})").format(
                        detector=trial.detector
                    ),
                    f"{trial.painted_auroc:.3f}",
                    f"{present.painted_auroc:.3f}"
                    if present and present.painted_auroc is not None
                    else DASH,
                )
            )
        for row in rows:
            self.figures.addTopLevelItem(QTreeWidgetItem(list(row)))
        if self.unset:
            dress(self._at, self.tr("Not set yet."), "warning")
            return
        unseen = next((p.unseen for p in result.proposals if p.threshold == threshold), None)
        told = []
        if unseen is not None:
            words = self.tr("Of batteries without a say in this rule: {rate} called defective.")
            told.append(words.format(rate=rate_text(unseen)))
        if present is not None and present.known:
            words = self.tr("The model in use was taught on {count} of these batteries.")
            told.append(words.format(count=len(present.known)))
        dress(self._at, " ".join(told), "muted")


def rate_text(rate: Rate) -> str:
    """Return a rate as a count with its interval."""
    low, high = rate.interval()
    return f"{rate.count} / {rate.total}  (95 %: {100 * low:.0f}–{100 * high:.0f} %)"
