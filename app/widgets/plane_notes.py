"""What three linked planes tell: place, value, score, the ruler with its profile, the bodies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QResizeEvent
from PySide6.QtWidgets import QLayout, QListWidget, QListWidgetItem

from app.planes.bodies import Body
from app.planes.ruler import Ruler
from app.theme import tokens
from app.tones import class_tone
from app.widgets.panel import Panel, column, label
from app.widgets.plots import Plots, dress_plot, new_plot
from app.widgets.windowing import CHANGED, number_text
from app.wording import class_text, message_text, score_text
from inspection.messages import Message
from inspection.results import ImageResult
from inspection.volume_results import DefectBody
from inspection.volumes.planes import AXES, Place, Space, Voxel, profile

if TYPE_CHECKING:
    from app.widgets.grey_display import Grey
    from app.widgets.grey_image import GreyImage, ValueThere

AXIS_WIDTH = 40
LEAST_LIST = 34
"""Pixels of height: of a body its class and its size."""
LOW = 210
"""Pixels of height under which what is told elsewhere is left out beside a profile or bodies."""


class PlaneNotes(Panel):
    """Words beside the planes.

    Parameters
    ----------
    plots : for the profile
    """

    body_chosen = Signal(object)

    def __init__(self, plots: Plots) -> None:
        super().__init__()
        self._plots = plots
        self._plot: Any = None
        plots.ready.connect(self._draw)
        self._line: tuple[Any, Any] | None = None
        self._bodies: Sequence[Body] = ()
        self._space: Space | None = None
        self.volume, self.where = label("muted", wrap=True), label("", wrap=True)
        self.value, self.greys = label("", wrap=True), label("muted", wrap=True)
        self.measured, self.kept = label("", wrap=True), label("warning", wrap=True)
        self.list = QListWidget()
        # The arrow keys are the window's: a list with the focus would take them.
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setMinimumHeight(LEAST_LIST)
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.itemClicked.connect(self._on_item)
        words = (self.kept, self.where, self.value, self.measured)
        parts = (*words, (self.list, 1), self.greys, self.volume)
        self._layout = column(self, *parts, margin=6, gap=2)
        self._layout.addStretch(0)
        # In a small window words give way; the planes keep their room.
        self._layout.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)

    # -- what is told ----------------------------------------------------------------------

    def show_volume(self, space: Space | None, kind: str) -> None:
        """Tell what the planes are cut out of.

        Parameters
        ----------
        kind : of the file, empty for separate pictures
        """
        if space is None:
            words = (self.kept, self.where, self.value, self.measured, self.greys, self.volume)
            for made in words:
                made.setText("")
            self.show_bodies((), None)
            return
        size = " × ".join(str(space.length(axis)) for axis in reversed(AXES))
        if not kind:
            self.volume.setText(self.tr("Separate slices, linked by their numbers"))
            return
        told = self.tr("{size} voxels").format(size=size)
        if space.voxel_mm is None:
            edges = self.tr("no voxel size in the file")
        else:
            edges = " × ".join(f"{space.edge(axis):.4g}" for axis in reversed(AXES)) + " mm"
            if len(set(space.voxel_mm)) == 1:
                edges = f"{space.voxel_mm[0]:.4g} mm"
        self.volume.setText(f"{kind} · {told} · {edges}")

    def show_place(self, space: Space, voxel: Voxel) -> None:
        """Tell where the crosshair, or the pointer, is."""
        place = "   ".join(f"{axis} {voxel.along(axis)}" for axis in reversed(AXES))
        if space.voxel_mm is not None:
            # From the corner of the volume to the middle of the voxel.
            mm = ((voxel.along(axis) + 0.5) * space.edge(axis) for axis in reversed(AXES))
            # To a tenth of a voxel: more digits would say nothing, and take another line.
            digits = max(0, math.ceil(-math.log10(min(space.voxel_mm)))) + 1
            place += "\n" + "  ".join(f"{value:.{digits}f}" for value in mm) + " mm"
        self.where.setText(place)

    def show_value(
        self,
        there: ValueThere | None,
        *,
        whole: bool,
        heat: float | None,
        result: ImageResult | None,
    ) -> None:
        """Tell the value there, and what was found.

        Parameters
        ----------
        whole : whether values are whole numbers
        heat : of the slice's map there, None where it has none
        result : of the slice, None where it is none that was inspected
        """
        said = []
        if there is not None:
            value = number_text(there.stored, whole=whole)
            said.append(self.tr("Value {value}").format(value=value))
            if there.seen is not None:
                said.append(self.tr("the model sees {seen}").format(seen=there.seen))
        if heat is not None:
            said.append(self.tr("heat {heat}").format(heat=f"{heat:.2f}"))
        if result is not None and result.pred_score is not None and not result.gate:
            score = score_text(result.pred_score, 3)
            said.append(self.tr("score of the slice {score}").format(score=score))
        self.value.setText(" · ".join(said))

    def show_kept(self, why: Message | None) -> None:
        """Tell that a plane is shown as a session has kept it, or nothing."""
        self.kept.setText(message_text(why) if why is not None else "")
        self._share_room()

    def show_greys(self, grey: Grey | None, *, whole: bool, moved: bool) -> None:
        """Tell level and width; nothing of a picture without values."""
        if grey is None:
            self.greys.setText("")
            return
        level = self.tr("Level {level}").format(level=number_text(grey.level, whole=whole))
        width = self.tr("Width {width}").format(width=number_text(grey.width, whole=whole))
        sign = f" · {CHANGED} {self.tr('display only')}" if moved else ""
        self.greys.setText(f"{level} · {width}{sign}")

    def show_bodies(self, bodies: Sequence[Body], space: Space | None) -> None:
        """List the bodies that can be gone to, with how large they are."""
        self._bodies, self._space = bodies, space
        self.list.clear()
        for body in bodies:
            places = " · ".join(
                f"{axis} {body.extents[axis][0]}–{body.extents[axis][1] - 1}"
                for axis in reversed(AXES)
            )
            head = f"{class_text(body.defect_type)}  {score_text(body.score, 2)}"
            told = [head, places]
            tips = [self.tr("Go to this body")]
            if body.defect is not None:
                told[1] = self._size_text(body, body.defect)
                tips.append(message_text(body.defect.told))
                if body.defect.problem is not None:
                    tips.append(message_text(body.defect.problem))
            item = QListWidgetItem("\n".join(told))
            item.setForeground(tokens().tone(class_tone(body.defect_type)))
            item.setToolTip("\n".join(tips))
            self.list.addItem(item)
        self._share_room()

    def show_ruler(
        self, ruler: Ruler, space: Space, picture: GreyImage | None, *, on: bool
    ) -> None:
        """Tell what is measured, and draw the values along the line.

        Parameters
        ----------
        picture : of the ruler's plane
        on : whether the ruler is in the hand
        """
        unit = "mm" if space.voxel_mm is not None else self.tr("voxels")
        length, degrees = ruler.length(space), ruler.angle(space)
        told = []
        if length is not None:
            text = f"{length:.3f}" if space.voxel_mm is not None else f"{length:.1f}"
            told.append(self.tr("Length {length} {unit}").format(length=text, unit=unit))
        if degrees is not None:
            told.append(self.tr("Angle {angle}°").format(angle=f"{degrees:.1f}"))
        if on and not told:
            told = [self.tr("Drag a line; a third point makes an angle.")]
        self.measured.setText(" · ".join(told))
        self._line = None
        if length and picture is not None and ruler.axis is not None:
            stored, (rows, columns) = picture.stored, space.size(ruler.axis)
            across, down = stored.shape[1] / columns, stored.shape[0] / rows
            a, b = (_scaled(place, across, down) for place in ruler.places[:2])
            width, height = space.pixel(ruler.axis)
            self._line = profile(stored, a, b, (width / across, height / down))
        self._draw()

    def restyle(self) -> None:
        """Put the theme's colours in place."""
        self.show_bodies(self._bodies, self._space)
        self._draw()

    # -- inside ----------------------------------------------------------------------------

    def _draw(self) -> None:
        if self._line is not None and (pg := self._plots.ask()) is not None:
            if self._plot is None:
                self._plot = new_plot(pg, AXIS_WIDTH)
                self._layout.insertWidget(4, self._plot, 1)
            along, values = self._line
            dress_plot(self._plot, ("left", "bottom"))
            pen = pg.mkPen(QColor(tokens().accent), width=1.5)
            self._plot.plot(along, values, pen=pen)
            self._plot.enableAutoRange()
        self._share_room()

    def _share_room(self) -> None:
        if self._plot is not None:
            self._plot.setVisible(self._line is not None)
        for made in (self.kept, self.measured):
            made.setVisible(bool(made.text()))
        self.list.setVisible(bool(self._bodies) and self._line is None)
        aside = self._line is None and not self._bodies
        for made in (self.greys, self.volume):
            made.setVisible(aside or self.height() >= LOW)

    def hasHeightForWidth(self) -> bool:
        """Qt: its words would ask for room that is the planes'."""
        return False

    def sizeHint(self) -> QSize:
        """Qt: what is left."""
        return QSize(0, 0)

    def minimumSizeHint(self) -> QSize:
        """Qt: as `sizeHint`."""
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt: there is more room, or less."""
        super().resizeEvent(event)
        self._share_room()

    def _size_text(self, body: Body, defect: DefectBody) -> str:
        """Return how large a body is, as short as it is told in a list."""
        size, space = defect.size, self._space
        if size is None:
            edges = {axis: space.edge(axis) if space else 1.0 for axis in AXES}
            sides = {a: (past - first) * edges[a] for a, (first, past) in body.extents.items()}
            hot = " × ".join(f"{sides[axis]:.3g}" for axis in reversed(AXES))
            in_mm = space is not None and space.voxel_mm is not None
            unit = "mm" if in_mm else self.tr("voxels")
            return self.tr("not measured; hot over {sides} {unit}").format(sides=hot, unit=unit)
        percent = max(1, round(100 * size.error))
        if size.length_mm is None or size.volume_mm3 is None:
            return self.tr("{length} voxels long, volume {voxels} ± {percent} %").format(
                length=f"{size.length:.0f}", voxels=round(size.voxels), percent=percent
            )
        return self.tr("{length} mm long, volume {volume} mm³ ± {percent} %").format(
            length=f"{size.length_mm:.3g}", volume=f"{size.volume_mm3:.3g}", percent=percent
        )

    def _on_item(self, item: QListWidgetItem) -> None:
        self.body_chosen.emit(self._bodies[self.list.row(item)])


def _scaled(place: Place, across: float, down: float) -> Place:
    return place[0] * across, place[1] * down
