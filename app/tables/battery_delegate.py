"""Paints the lot list: verdict chips, decision marks, and a dot per system."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.lot.review import Row
from app.tables.battery_table import ROW_ROLE, Column
from app.theme import icon, tokens
from app.tones import kind_tone, said_tone
from app.widgets.chip import MARK, draw_chip, draw_mark
from app.wording import kind_text
from inspection.results import SYSTEMS
from inspection.session.record import Decision

HEIGHT = 32
DOT = 8
ICON = 15
CONFLICT = 14


class BatteryDelegate(QStyledItemDelegate):
    """Painting only; the model's texts say the same in words."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Qt: paint a cell."""
        column = Column(index.column())
        row: Row = index.data(ROW_ROLE)
        colours = tokens()
        cell = option.rect
        if column in (Column.BATTERY, Column.SCORE):
            super().paint(painter, option, index)
            if column is Column.BATTERY and (row.battery.warnings or not row.battery.paired):
                spot = QRect(cell.right() - 19, cell.center().y() - 6, 13, 13)
                icon("warning", colours.warning).paint(painter, spot)
            return
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.fillRect(cell, QColor(colours.selection if selected else colours.surface))
        painter.setPen(QColor(colours.raised))
        painter.drawLine(cell.bottomLeft(), cell.bottomRight())
        area = QRectF(cell).adjusted(5, 4, -5, -4)
        if column is Column.SYSTEMS:
            self._paint_systems(painter, area, row)
        elif column is Column.VERDICT and row.decision and row.overruled:
            decided = row.decision
            tone = kind_tone(decided.kind, decided.defect_type)
            # An outline: it is a person's word, and not the station's.
            draw_chip(painter, area, kind_text(decided.kind), tone, solid=False)
        elif column is Column.VERDICT and row.kind:
            tone = kind_tone(row.kind, row.defect_type)
            draw_chip(painter, area, kind_text(row.kind), tone, solid=True)
        elif column is Column.DECISION and row.decision:
            self._paint_decision(painter, area, row, row.decision)

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Qt: how large a cell would like to be."""
        return QSize(super().sizeHint(option, index).width(), HEIGHT)

    def _paint_systems(self, painter: QPainter, area: QRectF, row: Row) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        known = row.systems or {"ensemble": row.state}
        middle = area.center().y()
        for place, system in enumerate(SYSTEMS):
            tone = said_tone(known.get(system, "queued"))
            spot = QRectF(area.left() + place * (DOT + 5), middle - DOT / 2, DOT, DOT)
            draw_mark(painter, spot, tone, tokens().tone(tone))
        if row.conflict:
            spot = QRectF(area.right() - CONFLICT, middle - CONFLICT / 2, CONFLICT, CONFLICT)
            icon("conflict", tokens().warning).paint(painter, spot.toRect())

    def _paint_decision(
        self, painter: QPainter, area: QRectF, row: Row, decision: Decision
    ) -> None:
        colours = tokens()
        doubtful = row.unsaved or row.contradicted
        shade = colours.warning if doubtful else colours.text
        spot = QRectF(area.left(), area.center().y() - ICON / 2, ICON, ICON)
        drawn = "accept" if decision.action == "accept" else "override"
        icon("warning" if doubtful else drawn, shade).paint(painter, spot.toRect())
        if row.overruled:
            tone = kind_tone(decision.kind)
            mark = QRectF(spot.right() + 8, area.center().y() - MARK / 2, MARK, MARK)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            draw_mark(painter, mark, tone, colours.tone(tone))
