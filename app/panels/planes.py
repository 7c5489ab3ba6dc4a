"""Three linked planes of the current battery: one crosshair, one zoom, one level and width."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout

from app.lot.review import BatteryView, ShownImage
from app.panels.dock import PanelContext, same_battery
from app.planes.bodies import Body, bodies_of
from app.planes.plane_slices import PlaneSlices
from app.planes.ruler import Ruler
from app.tones import class_tone
from app.widgets.panel import Panel
from app.widgets.plane_loader import PlaneLoader, PlanePicture
from app.widgets.plane_notes import PlaneNotes
from app.widgets.plane_view import PlaneView
from app.wording import class_text, message_text, score_text
from inspection.messages import Message
from inspection.records import Axis
from inspection.volumes.planes import AXES, Place, Space, Voxel

PLACES: dict[Axis, tuple[int, int]] = {"z": (0, 0), "y": (1, 0), "x": (1, 1)}
"""Row and column: y and z share their columns, y and x their rows."""
NOTES_PLACE = (0, 1)
NOTES_HEIGHT = 104
"""Of the words under a plane that was made large."""


class PlanesView(Panel):
    """The planes through one voxel, with what was found on them."""

    moved = Signal(str, int)
    """The crosshair was moved across an axis, to a number."""

    def __init__(self, context: PanelContext) -> None:
        super().__init__()
        self._context = context
        self._view: BatteryView | None = None
        self._slices = PlaneSlices()
        self._space: Space | None = None
        self._cross = Voxel(0, 0, 0)
        self._wish: ShownImage | None = None
        self._active: Axis = "z"
        self._large: Axis | None = None
        self._bodies: tuple[Body, ...] = ()
        self._pointed: tuple[Axis, Place] | None = None
        self.ruler = Ruler()
        self._loader = PlaneLoader(context.controller.planes, context.display, self)
        self._loader.opened.connect(self._on_opened)
        self._loader.refused.connect(self._on_refused)
        self._loader.loaded.connect(self._on_loaded)
        self._loader.failed.connect(context.controller.failed)
        context.display.changed.connect(self._word_greys)
        self.notes = PlaneNotes(context.plots)
        self.notes.body_chosen.connect(self.go_to_body)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(3)
        self.views: dict[Axis, PlaneView] = {}
        for axis in AXES:
            made = PlaneView(axis, context.layers, context.display, self.ruler)
            made.addAction(context.actions["accept_next"])
            made.picked.connect(partial(self._on_picked, axis))
            made.pointed.connect(partial(self._on_pointed, axis))
            made.stepped.connect(partial(self._on_stepped, axis))
            made.looked.connect(partial(self._on_looked, axis))
            made.enlarged.connect(partial(self._on_enlarged, axis))
            made.measured.connect(partial(self._on_measured, axis))
            self.views[axis] = made
        self._arrange()
        self._activate("z")

    # -- what is shown ---------------------------------------------------------------------

    def show_battery(
        self, view: BatteryView | None, current: ShownImage | None, *, go: bool
    ) -> None:
        """Show a battery's planes.

        Parameters
        ----------
        current : the slice that is looked at
        go : put the crosshair on it
        """
        before, self._view = self._view, view
        same = same_battery(before, view)
        self._slices = PlaneSlices(view.ct if view else ())
        if not same:
            self._wish = None
        if not self._loader.open(view, current.ref if current else None):
            if go and current is not None:
                self.go_to(current)
            return
        if go:
            self._wish = current
        if not same:
            self._space = None
            self.ruler.clear()
        self._bodies = ()
        if self._space is None:
            for made in self.views.values():
                made.show_space(Space((1, 1, 1)))
                made.set_notice("" if view is not None else self.tr("No battery"))
            self.notes.show_volume(None, "")

    def close_battery(self) -> None:
        """Let go of what is open, while nobody looks."""
        self._loader.close()
        self._view, self._space, self._wish = None, None, None

    def go_to(self, image: ShownImage, *, again: bool = False) -> None:
        """Put the crosshair on a slice, where it is hottest.

        Parameters
        ----------
        again : ask for all planes anew
        """
        space = self._space
        if space is None or self._loader.planes is None:
            self._wish = image
            return
        axis, result = image.ref.axis or "z", image.result
        voxel = space.moved(self._cross, axis, image.ref.number)
        if result and result.peak and result.is_anomaly and result.width and result.height:
            rows, columns = space.size(axis)
            x = (result.peak.x + 0.5) * columns / result.width
            y = (result.peak.y + 0.5) * rows / result.height
            voxel = space.voxel(axis, image.ref.number, (x, y))
        self._activate(axis)
        self._set_cross(voxel, again=again)

    def go_to_body(self, body: Body) -> None:
        """Put the crosshair on a body."""
        self._activate(body.axis)
        self._set_cross(body.peak)
        self.moved.emit(body.axis, body.peak.along(body.axis))

    def step(self, delta: int) -> None:
        """Go to a neighbour of the plane that was touched last."""
        self._on_stepped(self._active, delta)

    def fit(self) -> None:
        """Show all planes whole."""
        for made in self.views.values():
            made.fit()

    def set_measuring(self, on: bool) -> None:
        """Take the ruler, or put it away with what was measured."""
        for made in self.views.values():
            made.measuring = on
        if not on:
            self.ruler.clear()
        self._word_ruler()

    def enlarge(self) -> None:
        """Make the plane that was touched last large, or show all again."""
        self._large = None if self._large else self._active
        self._arrange()

    @property
    def active(self) -> PlaneView:
        """The plane that was touched last."""
        return self.views[self._active]

    @property
    def cross(self) -> Voxel:
        """The voxel that all planes go through."""
        return self._cross

    # -- words ---------------------------------------------------------------------------

    def retranslate(self) -> None:
        """Put the words of the window's language in place."""
        self._word()

    # -- inside ----------------------------------------------------------------------------

    def _on_opened(self) -> None:
        planes = self._loader.planes
        assert planes is not None
        space = planes.source.space
        if space != self._space:
            self._space, self._cross = space, space.middle
            for made in self.views.values():
                made.show_space(space)
        self._bodies = bodies_of(self._view.result if self._view else None, space)
        self._word()
        wish, self._wish = self._wish, None
        if wish is not None:
            self.go_to(wish, again=True)
        else:
            self._set_cross(self._cross, again=True)

    def _on_refused(self, why: Message) -> None:
        for made in self.views.values():
            made.clear(message_text(why))

    def _on_loaded(self, found: PlanePicture) -> None:
        made = self.views[found.axis]
        made.show_plane(found)
        self._caption(found.axis)
        self._word_place()
        self._word_greys()
        if self.ruler.axis == found.axis:
            self._word_ruler()

    def _set_cross(self, voxel: Voxel, *, again: bool = False) -> None:
        space = self._space
        if space is None:
            return
        before, self._cross = self._cross, voxel
        for axis, made in self.views.items():
            number = voxel.along(axis)
            made.show_cross(space.place(voxel, axis))
            if again or number != before.along(axis) or made.found is None:
                cuts = ((body.on_plane(axis, number), body) for body in self._bodies)
                made.show_bodies([(cut, class_tone(b.defect_type)) for cut, b in cuts if cut])
                self._loader.ask(axis, number, self._slices.at(axis, number))
        self._word_place()

    def _activate(self, axis: Axis) -> None:
        self._active = axis
        for name, made in self.views.items():
            made.set_active(name == axis)
        self._word_greys()
        if self._large is not None and self._large != axis:
            self._large = axis
            self._arrange()

    def _arrange(self) -> None:
        """Put the planes in a square with the words, or one large over the words."""
        large = self._large
        for axis, made in self.views.items():
            made.setVisible(large in (None, axis))
            if large is None:
                self._grid.addWidget(made, *PLACES[axis])
        if large is not None:
            self._grid.addWidget(self.views[large], 0, 0, 1, 2)
        self._grid.addWidget(self.notes, *((1, 0, 1, 2) if large else (*NOTES_PLACE, 1, 1)))
        self.notes.setMinimumHeight(NOTES_HEIGHT if large else 0)
        for place in (0, 1):
            self._grid.setRowStretch(place, 0 if large and place else 1)
            self._grid.setColumnStretch(place, 1)

    # -- the mouse -------------------------------------------------------------------------

    def _on_picked(self, axis: Axis, place: Place) -> None:
        if self._space is None:
            return
        self._activate(axis)
        self._set_cross(self._space.voxel(axis, self._cross.along(axis), place))
        self.moved.emit(axis, self._cross.along(axis))

    def _on_stepped(self, axis: Axis, delta: int) -> None:
        if self._space is None:
            return
        self._activate(axis)
        wanted = self._slices.beside(axis, self._cross.along(axis), delta)
        self._set_cross(self._space.moved(self._cross, axis, wanted))
        self.moved.emit(axis, self._cross.along(axis))

    def _on_looked(self, axis: Axis) -> None:
        for name, made in self.views.items():
            if name != axis:
                made.follow_zoom(self.views[axis])

    def _on_enlarged(self, axis: Axis) -> None:
        self._activate(axis)
        self.enlarge()

    def _on_pointed(self, axis: Axis, place: Place | None) -> None:
        self._pointed = (axis, place) if place is not None else None
        self._word_place()

    def _on_measured(self, axis: Axis) -> None:
        self._activate(axis)
        for made in self.views.values():
            made.viewport().update()
        self._word_ruler()

    # -- words -----------------------------------------------------------------------------

    def _word(self) -> None:
        planes = self._loader.planes
        if planes is None or self._space is None:
            return
        info = planes.source.info
        self.notes.show_volume(self._space, info.format if info else "")
        self.notes.show_bodies(self._bodies, self._space)
        for axis in AXES:
            self._caption(axis)
        self._word_place()
        self._word_greys()
        self._word_ruler()

    def _caption(self, axis: Axis) -> None:
        made, space = self.views[axis], self._space
        found = made.found
        if space is None or found is None or found.picture is None:
            made.set_captions("", "")
            return
        result, said = found.picture.shown.result, ""
        if result is not None and (result.gate or result.state == "failed"):
            said = self.tr("Not judged")
        elif result is not None and result.state == "done":
            said = f"{class_text(result.pred_label)}  {score_text(result.pred_score, 2)}"
        made.set_captions(f"{axis}  {found.number} / {space.length(axis)}", said)

    def _word_place(self) -> None:
        space = self._space
        if space is None:
            return
        axis, place = self._pointed or (self._active, space.place(self._cross, self._active))
        voxel = space.voxel(axis, self._cross.along(axis), place)
        self.notes.show_place(space, voxel)
        found = self.views[axis].found
        picture = found.picture if found else None
        if found is None or picture is None or picture.image is None:
            self.notes.show_value(None, whole=True, heat=None, result=None)
            return
        rows, columns = space.size(axis)
        x, y = place[0] * picture.roi.w / columns, place[1] * picture.roi.h / rows
        heat = found.heat.at(x, y) if found.heat else None
        grey = picture.grey
        there, whole = (grey.at(x, y), grey.whole_numbers) if grey else (None, True)
        self.notes.show_value(there, whole=whole, heat=heat, result=picture.shown.result)

    def _word_greys(self) -> None:
        found, grey = self.active.found, self.active.windowing.grey
        kept = found.picture.problem if found and found.picture and found.picture.image else None
        self.notes.show_kept(kept)
        if grey is None:
            self.notes.show_greys(None, whole=True, moved=False)
            return
        display = self._context.display
        moved = display.moved or not grey.as_seen
        self.notes.show_greys(display.of(grey.base), whole=grey.whole_numbers, moved=moved)

    def _word_ruler(self) -> None:
        if self._space is None:
            return
        measured = self.views[self.ruler.axis] if self.ruler.axis else None
        grey = measured.windowing.grey if measured else None
        self.notes.show_ruler(self.ruler, self._space, grey, on=self.active.measuring)
        for made in self.views.values():
            made.viewport().update()
