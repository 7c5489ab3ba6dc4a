"""The station's verdict on the current battery, its grounds, and the operator's decision."""

from __future__ import annotations

import html

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from app.review import BatteryView, Row
from app.theme import icon, tokens
from app.tones import kind_tone, said_tone
from app.widgets.bars import Bar, Bars
from app.widgets.chip import Chip
from app.widgets.demo_note import DemoNote
from app.widgets.panel import Panel, button, column, label, line
from app.wording import (
    DASH,
    channel_text,
    class_row,
    class_text,
    kind_text,
    languages,
    message_text,
    not_yet_text,
    score_text,
    state_text,
    system_text,
)
from inspection.results import SYSTEMS, SystemState

DECISION_MARK = 0.5


class VerdictPanel(Panel):
    """Kind, channels, systems, reasons, advice; accept, override, undo.

    Parameters
    ----------
    actions : the window's accept, override and undo
    """

    retry_wanted = Signal()

    def __init__(self, actions: tuple[QAction, QAction, QAction]) -> None:
        super().__init__()
        self._view: BatteryView | None = None
        self._actions = actions
        self._marks = (0.5, 0.5, 0.5)
        outer = column(self, margin=0, gap=0)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        body = Panel()
        self._body = column(body, margin=14, gap=8)
        self._scroll.setWidget(body)
        outer.addWidget(self._scroll, 1)
        self._build_head()
        self._build_grounds()
        self._body.addStretch(1)
        outer.addWidget(self._decision_box())
        self.retranslate()
        self.restyle()

    def _build_head(self) -> None:
        self._name = label("title")
        self._about = label("muted")
        self._chip = Chip(points=12.5)
        self._defect = label()
        self._warnings = label("muted", wrap=True)
        self._body.addWidget(self._name)
        self._body.addWidget(self._about)
        self._body.addSpacing(2)
        self._body.addWidget(self._chip)
        self._body.addWidget(self._defect)
        self._body.addWidget(self._warnings)

    def _build_grounds(self) -> None:
        self._scores_title = self._section()
        self._scores = Bars(name_share=0.4)
        self._body.addWidget(self._scores)
        self._systems_title = self._section()
        self._systems: dict[str, Chip] = {}
        self._system_names: dict[str, QLabel] = {}
        for system in SYSTEMS:
            name = label("muted")
            name.setFixedWidth(84)
            self._system_names[system] = name
            self._systems[system] = Chip(solid=False)
            self._body.addLayout(line(name, self._systems[system]))
        self._demo = DemoNote()
        self._body.addWidget(self._demo)
        self._reasons_title = self._section()
        self._reasons = label(wrap=True)
        self._reasons.setTextFormat(Qt.TextFormat.RichText)
        self._body.addWidget(self._reasons)
        self._advice_title = self._section()
        self._cause = label("muted", wrap=True)
        self._action = label(wrap=True)
        self._body.addWidget(self._action)
        self._body.addWidget(self._cause)

    def _section(self) -> QWidget:
        made = label("section")
        self._body.addSpacing(6)
        self._body.addWidget(made)
        return made

    def _decision_box(self) -> QWidget:
        box = QFrame()
        box.setProperty("role", "decision")
        layout = QVBoxLayout(box)
        layout.setContentsMargins(14, 10, 14, 14)
        layout.setSpacing(8)
        self._decided = Chip(solid=False)
        self._told = label("muted", wrap=True)
        self._retry: QPushButton = button("flat")
        self._retry.clicked.connect(self.retry_wanted)
        layout.addWidget(self._decided)
        layout.addWidget(self._told)
        layout.addWidget(self._retry, 0, Qt.AlignmentFlag.AlignLeft)
        self._accept, self._override, self._undo = button("primary"), button(), button()
        row = line(self._accept, self._override, self._undo)
        row.setStretch(0, 3)
        row.setStretch(1, 3)
        layout.addLayout(row)
        for made, action in zip(
            (self._accept, self._override, self._undo), self._actions, strict=True
        ):
            made.clicked.connect(action.trigger)
            made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            action.changed.connect(self._sync_buttons)
        return box

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("Verdict")

    # -- what is shown ---------------------------------------------------------------------

    def set_demo(self, demo: bool) -> None:
        """Say whether a demo model has spoken in the session."""
        self._demo.setVisible(demo)

    def set_marks(self, marks: tuple[float, float, float]) -> None:
        """Mark the thresholds of the fused score, the CT and the RGB channel, 0 to 1."""
        if marks != self._marks:
            self._marks = marks
            self.retranslate()

    def show_battery(self, view: BatteryView | None) -> None:
        """Show a battery's verdict and decision."""
        other = (view.row.battery_id if view else None) != (
            self._view.row.battery_id if self._view else None
        )
        self._view = view
        self.retranslate()
        if other:
            self._scroll.verticalScrollBar().setValue(0)

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self._scores_title.setText(self.tr("Scores"))
        self._systems_title.setText(self.tr("Systems"))
        self._reasons_title.setText(self.tr("Reasons"))
        self._advice_title.setText(self.tr("Action and likely cause"))
        self._retry.setText(self.tr("Save the decision again"))
        self._sync_buttons()
        row = self._view.row if self._view else None
        self._word_head(row)
        self._word_scores()
        self._word_systems(row)
        self._word_grounds(row)
        self._word_decision(row)

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        colours = tokens()
        self._accept.setIcon(icon("accept", colours.on_accent))
        self._override.setIcon(icon("override"))
        self._undo.setIcon(icon("undo"))
        self._retry.setIcon(icon("retry"))

    # -- inside ----------------------------------------------------------------------------

    def _word_head(self, row: Row | None) -> None:
        if row is None:
            self._name.setText(self.tr("No battery"))
            for widget in (self._about, self._defect, self._warnings):
                widget.hide()
            self._chip.show_state(kind_text("not_inspected"), "neutral")
            return
        battery = row.battery
        self._name.setText(row.battery_id)
        kinds = {"cell": self.tr("Cell"), "module": self.tr("Module")}
        counts = self.tr("CT {ct} · RGB {rgb}").format(ct=len(battery.ct), rgb=len(battery.rgb))
        kind = kinds.get(battery.battery_type or "")
        self._about.setText(f"{kind} · {counts}" if kind else counts)
        self._about.show()
        if row.kind is None:
            running = row.state == "running"
            self._chip.show_state(
                self.tr("Being inspected ...") if running else not_yet_text(),
                "accent" if running else "neutral",
            )
        else:
            self._chip.show_state(kind_text(row.kind), kind_tone(row.kind, row.defect_type))
        self._defect.setText(class_text(row.defect_type))
        self._defect.setVisible(row.kind is not None and row.defect_type is not None)
        self._warnings.setText("\n".join(message_text(warning) for warning in battery.warnings))
        self._warnings.setVisible(bool(battery.warnings))

    def _word_scores(self) -> None:
        row = self._view.row if self._view else None
        judged = self._view is not None and self._view.result is not None and row.kind is not None
        verdict = self._view.result.verdict if judged else None
        ct = channel_text(verdict.ct_state) if verdict else DASH
        rgb = channel_text(verdict.rgb_state) if verdict else DASH
        kind = row.kind if row else None
        self._scores.show_bars(
            (
                Bar(
                    self.tr("Fused score"),
                    row.fused_score if row else None,
                    kind_tone(kind, row.defect_type) if kind and row else "neutral",
                    score_text(row.fused_score if row else None),
                    mark=self._marks[0],
                    strong=True,
                ),
                Bar(
                    f"CT · {ct}",
                    row.cnn_prob if row else None,
                    said_tone(verdict.ct_state) if verdict else "neutral",
                    score_text(row.cnn_prob if row else None),
                    mark=self._marks[1],
                ),
                Bar(
                    f"RGB · {rgb}",
                    row.ae_score if row else None,
                    said_tone(verdict.rgb_state) if verdict else "neutral",
                    score_text(row.ae_score if row else None),
                    mark=self._marks[2],
                ),
            )
        )

    def _word_systems(self, row: Row | None) -> None:
        result = self._view.result if self._view else None
        for system in SYSTEMS:
            self._system_names[system].setText(system_text(system))
            state: SystemState = row.systems.get(system, "queued") if row else "queued"
            text, tone = state_text(state), said_tone(state)
            if row is None or (not row.systems and row.kind is None and row.state == "queued"):
                text = ""
            if system == "ensemble" and row is not None and row.kind and state == "done":
                text, tone = kind_text(row.kind), kind_tone(row.kind, row.defect_type)
            elif system == "vlm" and result is not None and result.vlm is not None:
                found = result.vlm.prediction
                text = kind_text("review") if found == "review" else channel_text(found)
                tone = "review" if found == "review" else said_tone(found)
            elif system == "vlg" and result is not None and result.vlg is not None:
                found = "defect" if result.vlg.bboxes else "normal"
                text, tone = channel_text(found), said_tone(found)
            self._systems[system].show_state(text, tone)

    def _word_grounds(self, row: Row | None) -> None:
        result = self._view.result if self._view else None
        judged = result is not None and row is not None and row.kind is not None
        reasons = [message_text(reason) for reason in result.verdict.reasons] if judged else []
        self._reasons.setText("".join(map(_bullet, reasons)))
        self._reasons_title.setVisible(bool(reasons))
        self._reasons.setVisible(bool(reasons))
        advice = class_row(row.defect_type) if row and row.kind else None
        for widget in (self._advice_title, self._cause, self._action):
            widget.setVisible(advice is not None)
        if advice is not None:
            self._action.setText(advice.action[languages.current])
            self._cause.setText(advice.cause[languages.current])

    def _word_decision(self, row: Row | None) -> None:
        decision = row.decision if row else None
        self._retry.setVisible(bool(row and row.unsaved))
        if decision is None or row is None:
            self._decided.show_state(self.tr("Undecided"), "neutral")
            self._told.setText("")
            self._told.hide()
            return
        words = {"accept": self.tr("Accepted"), "override": self.tr("Overridden")}
        text = f"{words[decision.action]}: {kind_text(decision.kind)}"
        self._decided.show_state(text, "warning" if row.unsaved else kind_tone(decision.kind))
        told = [f"{decision.operator} · {decision.decided_at.astimezone():%Y-%m-%d %H:%M}"]
        told += [part for part in (decision.reason, decision.comment) if part]
        if row.contradicted:
            told.append(self.tr("The station's verdict has changed since."))
        if row.unsaved:
            told.append(self.tr("Not saved yet: the session folder cannot be written."))
        self._told.setText("\n".join(told))
        self._told.show()

    def _sync_buttons(self) -> None:
        for made, action in zip(
            (self._accept, self._override, self._undo), self._actions, strict=True
        ):
            made.setEnabled(action.isEnabled())
            made.setText(action.text())
            made.setToolTip(action.toolTip())


def _bullet(text: str) -> str:
    # A zero-width space after each slash lets a long path break there.
    told = html.escape(text).replace("/", "/\u200b")
    return f'<p style="margin: 0 0 5px 12px; text-indent: -12px">•&nbsp; {told}</p>'
