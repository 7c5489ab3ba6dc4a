"""The station's verdict on the current battery, its grounds, and the operator's decision."""

from __future__ import annotations

import html
import re

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QStackedWidget, QWidget

from app.lot.review import BatteryView, Row
from app.panels.demo_note import DemoNote
from app.panels.dock import DockPanel, DockPlace, PanelContext, same_battery
from app.people.decision_words import decision_details, decision_words
from app.theme import icon, tokens
from app.tones import kind_tone, said_tone
from app.widgets.bars import AUTOENCODER_MARK, Bar, Bars, autoencoder_bar
from app.widgets.chip import Chip
from app.widgets.panel import Panel, button, column, label, line
from app.wording import (
    DASH,
    channel_text,
    class_row,
    class_text,
    judgement_text,
    kind_text,
    languages,
    message_text,
    not_yet_text,
    score_text,
    state_text,
    system_text,
    term,
)
from inspection.agreement.cells import battery_cell
from inspection.results import SYSTEMS, BatteryResult, SystemState, Verdict

SYSTEM_NAME_WIDTH = 84


class VerdictPanel(DockPanel):
    """Kind, channels, systems, reasons, advice; accept, override, undo."""

    name = "verdict"
    place = DockPlace("right", of="rgb", share=0.25, widest=336)

    def __init__(self, context: PanelContext) -> None:
        super().__init__(context)
        self._view: BatteryView | None = None
        # Unlike other scrolling parts it has a ground of its own, a panel's.
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(self._verdict_part())
        column(self, (self._scroll, 1), self._decision_part(), margin=0, gap=0)
        controller = context.controller
        controller.current_changed.connect(self._on_current)
        controller.session_changed.connect(self.retranslate)
        controller.policy_changed.connect(self.retranslate)
        self.retranslate()
        self.restyle()

    def _verdict_part(self) -> Panel:
        self._name = label("title")
        self._about = label("muted")
        self._chip = Chip(points=12.5)
        self._defect = label()
        self._warnings = label("muted", wrap=True)
        self._grey = label("muted", wrap=True)
        self._scores_title = label("section")
        self._scores = Bars(name_share=0.4)
        self._systems_title = label("section")
        self._systems = {system: (label("muted"), Chip(solid=False)) for system in SYSTEMS}
        for name, _ in self._systems.values():
            name.setFixedWidth(SYSTEM_NAME_WIDTH)
        self._again = button()
        self._again.clicked.connect(self.context.actions["again"].trigger)
        self.context.actions["again"].changed.connect(self._sync_buttons)
        self._reasons_title = label("section")
        self._reasons = label(wrap=True)
        self._reasons.setTextFormat(Qt.TextFormat.RichText)
        self._sizes_title = label("section")
        self._sizes = label(wrap=True)
        self._sizes.setTextFormat(Qt.TextFormat.RichText)
        self._volume = label("muted", wrap=True)
        self._advice_title = label("section")
        self._action = label(wrap=True)
        self._cause = label("muted", wrap=True)
        self._earlier_title = label("section")
        self._earlier = label("muted", wrap=True)
        self._earlier.setTextFormat(Qt.TextFormat.PlainText)
        body = Panel()
        column(
            body,
            *(self._name, self._about, 2, self._chip, self._defect, self._warnings),
            self._again,
            *(6, self._scores_title, self._scores),
            *(6, self._systems_title),
            *(line(*pair) for pair in self._systems.values()),
            self._grey,
            DemoNote(self.context.demo),
            *(6, self._reasons_title, self._reasons),
            *(6, self._sizes_title, self._sizes, self._volume),
            *(6, self._advice_title, self._action, self._cause),
            *(6, self._earlier_title, self._earlier, None),
            margin=14,
        )
        return body

    def _decision_part(self) -> QFrame:
        box = QFrame()
        box.setProperty("role", "decision")
        self._decided = Chip(solid=False)
        self._told = label("muted", wrap=True)
        # Of a person's own words nothing is markup.
        self._told.setTextFormat(Qt.TextFormat.PlainText)
        self._retry = button("flat")
        self._retry.clicked.connect(self.context.controller.writer.retry)
        self._accept, self._override, self._undo = button("primary"), button(), button()
        self._change = button()
        # One of the two is shown, and a dock is never wider for the moment between them.
        self._choices = QStackedWidget()
        for choice in (line((self._accept, 1), (self._override, 1)), line((self._change, 1))):
            page = QWidget()
            choice.setContentsMargins(0, 0, 0, 0)
            page.setLayout(choice)
            self._choices.addWidget(page)
        self._choices.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        buttons = line((self._choices, 1), self._undo)
        layout = column(box, self._decided, self._told, self._retry, buttons)
        layout.setContentsMargins(14, 10, 14, 14)
        layout.setAlignment(self._retry, Qt.AlignmentFlag.AlignLeft)
        actions = self.context.actions
        self._buttons = {
            self._accept: actions["accept"],
            self._override: actions["override"],
            self._change: actions["change"],
            self._undo: actions["undo"],
        }
        for made, action in self._buttons.items():
            # No toast covers it.
            made.setProperty("decides", True)
            made.clicked.connect(action.trigger)
            action.changed.connect(self._sync_buttons)
        return box

    def title(self) -> str:
        """Return the dock's title."""
        return self.tr("Verdict")

    # -- what is shown ---------------------------------------------------------------------

    def _on_current(self, view: BatteryView | None) -> None:
        before, self._view = self._view, view
        self.retranslate()
        if not same_battery(view, before):
            self._scroll.verticalScrollBar().setValue(0)

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self._scores_title.setText(self.tr("Scores"))
        self._systems_title.setText(self.tr("Systems"))
        self._reasons_title.setText(self.tr("Reasons"))
        self._sizes_title.setText(term("defect_sizes"))
        self._advice_title.setText(self.tr("Action and likely cause"))
        self._retry.setText(self.tr("Save the decision again"))
        self._again.setText(self.tr("Try again"))
        self._sync_buttons()
        row = self._view.row if self._view else None
        result = self._view.result if self._view else None
        # What the station has judged: a row may have a result without a verdict of its own.
        judged = result.verdict if result and row and row.kind else None
        self._word_head(row)
        self._word_scores(row, judged)
        self._word_systems(row, result)
        grey = result.grey if result else None
        told = f"{term('grey_window')}: {message_text(grey.told)}" if grey else ""
        self._grey.setText(told)
        self._grey.setVisible(bool(told))
        self._word_grounds(row, judged)
        self._word_sizes(result if judged else None)
        self._word_decision(row)

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        colours = tokens()
        self._accept.setIcon(icon("accept", colours.on_accent))
        self._override.setIcon(icon("override"))
        self._change.setIcon(icon("override"))
        self._undo.setIcon(icon("undo"))
        self._retry.setIcon(icon("retry"))
        self._again.setIcon(icon("retry"))

    # -- inside ----------------------------------------------------------------------------

    def _word_head(self, row: Row | None) -> None:
        if row is None:
            self._name.setText(self.tr("No battery"))
            for widget in (self._about, self._defect, self._warnings, self._again):
                widget.hide()
            self._chip.show_state(kind_text("not_inspected"), "neutral")
            return
        self._again.setVisible(row.state == "failed")
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

    def _word_scores(self, row: Row | None, verdict: Verdict | None) -> None:
        policy = self.context.controller.policy_shown.inspector
        kind, defect = (row.kind, row.defect_type) if row else (None, None)
        ct, rgb = (verdict.ct_state, verdict.rgb_state) if verdict else (None, None)
        fused, cnn, ae = (row.fused_score, row.cnn_prob, row.ae_score) if row else (None,) * 3
        second = row.ct_ae_score if row else None
        ct_word = channel_text(ct) if ct else DASH
        rgb_word = channel_text(rgb) if rgb else DASH
        self._scores.show_bars(
            (
                Bar(
                    self.tr("Fused score"),
                    fused,
                    kind_tone(kind, defect) if kind else "neutral",
                    score_text(fused),
                    mark=policy.weighted_average.threshold,
                    strong=True,
                ),
                Bar(
                    f"CT · {ct_word}",
                    cnn,
                    said_tone(ct) if ct else "neutral",
                    score_text(cnn),
                    mark=policy.aggregation.slice_threshold,
                ),
                # Optional: without one there is nothing to miss.
                *([autoencoder_bar(second)] if second is not None else []),
                Bar(
                    f"RGB · {rgb_word}",
                    ae,
                    said_tone(rgb) if rgb else "neutral",
                    score_text(ae),
                    mark=AUTOENCODER_MARK,
                ),
            )
        )

    def _word_systems(self, row: Row | None, result: BatteryResult | None) -> None:
        untouched = row is None or (not row.systems and row.kind is None and row.state == "queued")
        for system, (name, chip) in self._systems.items():
            name.setText(system_text(system))
            state: SystemState = row.systems.get(system, "queued") if row else "queued"
            # In the comparison's words: the two must not tell different things of a system.
            cell = battery_cell(result, system) if result and state == "done" else None
            if cell is not None and cell.judgement is not None:
                chip.show_state(judgement_text(cell.judgement), said_tone(cell.judgement))
                continue
            if cell is not None:
                state = "failed"
            chip.show_state("" if untouched else state_text(state), said_tone(state))

    def _word_grounds(self, row: Row | None, verdict: Verdict | None) -> None:
        reasons = [message_text(reason) for reason in verdict.reasons] if verdict else []
        # A zero-width space lets a long path or file name break there, else it widens the panel.
        told = [re.sub("([/_])", "\\1\u200b", html.escape(text)) for text in reasons]
        bullet = '<p style="margin: 0 0 5px 12px; text-indent: -12px">•&nbsp; {}</p>'
        self._reasons.setText("".join(map(bullet.format, told)))
        self._reasons_title.setVisible(bool(reasons))
        self._reasons.setVisible(bool(reasons))
        advice = class_row(row.defect_type) if row and row.kind else None
        for widget in (self._advice_title, self._cause, self._action):
            widget.setVisible(advice is not None)
        if advice is not None:
            self._action.setText(advice.action[languages.current])
            self._cause.setText(advice.cause[languages.current])

    def _word_sizes(self, result: BatteryResult | None) -> None:
        """List the bodies in the battery's volume; what has no size says why."""
        told = []
        for body in result.defects if result else ():
            parts = [message_text(body.told)]
            if body.problem is not None:
                parts.append(message_text(body.problem))
            name = html.escape(class_text(body.defect_type))
            text = html.escape(" ".join(parts))
            for raised, digit in (("²", "2"), ("³", "3")):
                # As high as the font has them, nobody tells one from the other.
                text = text.replace(raised, f"<sup>{digit}</sup>")
            told.append(f"<b>{name}</b><br>{text}")
        self._sizes.setText("".join(f'<p style="margin: 0 0 5px 0">{one}</p>' for one in told))
        seen = result.volume if result else None
        self._volume.setText(message_text(seen.told) if seen else "")
        self._volume.setVisible(seen is not None)
        for widget in (self._sizes_title, self._sizes):
            widget.setVisible(bool(told))

    def _word_decision(self, row: Row | None) -> None:
        decision = row.decision if row else None
        earlier = row.earlier if row else ()
        open_to_all = row is not None and row.kind in ("review", "not_inspected")
        self._accept.setVisible(decision is None and not open_to_all)
        self._choices.setCurrentIndex(0 if decision is None else 1)
        self._retry.setVisible(bool(row and row.unsaved))
        self._told.setVisible(decision is not None)
        for part in (self._earlier_title, self._earlier):
            part.setVisible(bool(earlier))
        self._earlier_title.setText(self.tr("Decided before"))
        told = [" · ".join([decision_words(one), *decision_details(one)]) for one in earlier]
        self._earlier.setText("\n".join(reversed(told)))
        if decision is None or row is None:
            self._decided.show_state(term("decision_none"), "neutral")
            return
        tone = kind_tone(decision.kind, decision.defect_type)
        self._decided.show_state(decision_words(decision), "warning" if row.unsaved else tone)
        lines = decision_details(decision)
        if row.contradicted:
            lines.append(self.tr("The station's verdict has changed since."))
        if row.unsaved:
            lines.append(self.tr("Not saved yet: the session folder cannot be written."))
        self._told.setText("\n".join(lines))

    def _sync_buttons(self) -> None:
        for made, action in self._buttons.items():
            made.setEnabled(action.isEnabled())
            made.setText(action.text())
            made.setToolTip(action.toolTip())
        again = self.context.actions["again"]
        self._again.setEnabled(again.isEnabled())
        self._again.setToolTip(again.toolTip())
