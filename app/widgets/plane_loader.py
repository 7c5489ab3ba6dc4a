"""Planes through a battery's CT, read off the window's thread; of each axis the latest wins."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.lot.review import BatteryView, ShownImage
from app.tasks import TaskPool, Ticket
from app.widgets.grey_display import GreyDisplay
from app.widgets.grey_image import GreyImage
from app.widgets.pictures import Heat, Picture, heat_of, kept_picture
from inspection.errors import ImageError, InspectionError
from inspection.records import Axis, ImageRef, Rect, VolumeRef
from inspection.volumes.planes import AXES
from inspection.volumes.stopping import read_until

if TYPE_CHECKING:
    from inspection.images.planes import PlaneDisplay, PlaneSource
    from inspection.results import BatteryResult
    from inspection.volumes.volume import Voxels

CACHED_BYTES = 128 << 20
"""Of planes that were looked at: the crosshair goes back over twenty of 1,000 x 1,000 voxels."""
ROUGH_MS = 60
"""How long a plane is waited for before a rough one stands for it."""


@dataclass(frozen=True, slots=True)
class PlanePicture:
    """A plane, ready to be painted.

    Parameters
    ----------
    axis, wanted : which plane was asked for
    number : that which is shown, the nearest that there is
    picture : None where there is none across the axis
    heat : of the slice that lies on it
    rough : True where a better one is on its way
    """

    axis: Axis
    wanted: int
    number: int
    picture: Picture | None
    heat: Heat | None = None
    rough: bool = False


class PlaneLoader(QObject):
    """Opens what planes are cut out of, and reads them.

    Parameters
    ----------
    pool : reads, in a thread for each axis and one for the rough picture
    display : greys that planes are painted under
    """

    opened = Signal()
    """There is something to cut planes out of."""
    refused = Signal(object)
    """Why there is nothing: a `Message`."""
    loaded = Signal(object)
    failed = Signal(object)

    def __init__(self, pool: TaskPool, display: GreyDisplay, parent: QObject) -> None:
        super().__init__(parent)
        self._pool, self._display = pool, display
        self.planes: PlaneDisplay | None = None
        self._of: tuple[object, ...] = ()
        self._nameless: ShownImage | None = None
        self._tickets: list[Ticket] = []
        self._stop = Event()
        self._rough: Voxels | None = None
        self._settled = False
        self._running: dict[Axis, tuple[int, Ticket]] = {}
        self._asked: dict[Axis, tuple[int, ShownImage]] = {}
        self._waiting: set[Axis] = set()
        self._missing: set[Axis] = set()
        self._cache: OrderedDict[tuple[Axis, int], PlanePicture] = OrderedDict()
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(ROUGH_MS)
        self._late.timeout.connect(self._stand_in)

    def open(self, view: BatteryView | None, ref: ImageRef | None) -> bool:
        """Open a battery's volume or its slices; return False where they are open already.

        Parameters
        ----------
        view : the battery
        ref : the slice that is looked at: it tells the volume where there are several
        """
        volume = ref.section.volume if ref is not None and ref.section is not None else None
        of: tuple[object, ...] = ()
        if view is not None and view.ct:
            # Judged, it has another window, and heat-maps.
            result = view.result
            of = (volume, view.row.battery.ct, result and result.grey, result and result.images)
        if of == self._of:
            return False
        if of and self._of and of[0] is not None and of[0] == self._of[0]:
            # What the volume is being laid out for is wanted as before.
            self._forget()
        else:
            self.close()
        self._of = of
        if view is not None and view.ct:
            first, refs = view.ct[0], view.row.battery.ct
            self._nameless = ShownImage(first.ref, "")
            work = partial(_open, volume, refs, first, view.result)
            self._tickets = [self._submit(work, self._on_opened, self._on_not_opened)]
        return True

    def close(self) -> None:
        """Forget what is open, and end what is being read of it.

        A volume stays open for whoever else reads it.
        """
        self._stop.set()
        self._stop = Event()
        self._forget()

    def _forget(self) -> None:
        for ticket in (*self._tickets, *(ticket for _, ticket in self._running.values())):
            ticket.cancel()
        self.planes = self._rough = None
        self._of = ()
        self._settled = False
        self._tickets.clear()
        self._running.clear()
        self._waiting.clear()
        self._missing.clear()
        self._asked.clear()
        self._cache.clear()
        self._late.stop()

    def ask(self, axis: Axis, number: int, shown: ShownImage | None) -> None:
        """Ask for a plane, once `opened` was told.

        Parameters
        ----------
        shown : the slice whose heat-map and boxes are laid over it, where there is one
        """
        if self.planes is None or self._nameless is None:
            return
        self._asked[axis] = number, shown or self._nameless
        known = self._cache.get((axis, number))
        if known is not None:
            self._cache.move_to_end((axis, number))
            self._waiting.discard(axis)
            self._missing.discard(axis)
            self.loaded.emit(known)
            return
        self._missing.add(axis)
        if axis not in self._running:
            self._start(axis)
        elif self._running[axis][0] != number:
            self._waiting.add(axis)
        if not self._late.isActive():
            self._late.start()

    # -- inside ----------------------------------------------------------------------------

    def _submit(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> Ticket:
        return self._pool.submit(partial(read_until, self._stop.is_set, work), done, failed)

    def _start(self, axis: Axis) -> None:
        assert self.planes is not None
        work = partial(_load, self.planes, axis, *self._asked[axis], self._display)
        ticket = self._submit(work, self._on_loaded, partial(self._on_failed, axis))
        self._running[axis] = self._asked[axis][0], ticket

    def _on_opened(self, opened: PlaneDisplay) -> None:
        self.planes = opened
        self.opened.emit()
        # After the planes that were asked for meanwhile: it reads the whole volume.
        work = partial(_overview, opened)
        self._tickets.append(self._submit(work, self._on_overview, self._on_refused))

    def _on_not_opened(self, error: Exception) -> None:
        if isinstance(error, InspectionError):
            self.refused.emit(error.message)
        else:
            self.failed.emit(error)

    def _on_overview(self, rough: Voxels | None) -> None:
        self._rough = rough
        self._stand_in()

    def _on_settled(self, changed: bool) -> None:
        """Show all planes anew under the window of the stack."""
        if changed:
            self._cache.clear()
            for axis in self._asked:
                self._missing.add(axis)
                self._waiting.add(axis)
                if axis not in self._running:
                    self._waiting.discard(axis)
                    self._start(axis)

    def _on_refused(self, error: Exception) -> None:
        # Where the volume is damaged, the planes themselves say so.
        if not isinstance(error, InspectionError):
            self.failed.emit(error)

    def _on_loaded(self, found: PlanePicture) -> None:
        axis = found.axis
        del self._running[axis]
        if not self._settled and self.planes is not None:
            # Once there is something to look at.
            self._settled = True
            work = self.planes.settle
            self._tickets.append(self._submit(work, self._on_settled, self._on_refused))
        if found.picture is not None and found.picture.grey is not None:
            self._cache[axis, found.wanted] = found
            kept = sum(one.picture.bytes for one in self._cache.values() if one.picture)
            while kept > CACHED_BYTES and len(self._cache) > len(AXES):
                oldest = self._cache.popitem(last=False)[1].picture
                kept -= oldest.bytes if oldest else 0
        if axis in self._waiting:
            self._waiting.discard(axis)
            self._start(axis)
        if axis in self._missing:
            # Nearer to what is wanted than what is on the screen, even where more was asked since.
            self.loaded.emit(found)
        if self._asked[axis][0] == found.wanted:
            self._missing.discard(axis)

    def _on_failed(self, axis: Axis, error: Exception) -> None:
        # The next plane is asked for all the same.
        del self._running[axis]
        self._waiting.discard(axis)
        self._missing.discard(axis)
        self.failed.emit(error)

    def _stand_in(self) -> None:
        """Show what is known of planes that are still being read."""
        if self._rough is None or self.planes is None:
            return
        for axis in self._missing:
            number, shown = self._asked[axis]
            places = self.planes.source.space.shape, self._rough.shape
            at = AXES.index(axis)
            thin = self._rough.take(number * places[1][at] // places[0][at], at)
            h, w = self.planes.source.space.size(axis)
            grey = GreyImage(self.planes.shown(thin, Rect(0, 0, w, h)))
            picture = _painted(replace(shown, name=""), grey, self._display)
            self.loaded.emit(PlanePicture(axis, number, number, picture, rough=True))


def _open(
    volume: VolumeRef | None,
    slices: Sequence[ImageRef],
    first: ShownImage,
    result: BatteryResult | None,
) -> PlaneDisplay:
    from inspection.images.planes import KeptPlanes, PlaneDisplay, SlicePlanes, VolumePlanes
    from inspection.volumes.opening import open_volume

    source: PlaneSource
    try:
        source = SlicePlanes(slices) if volume is None else VolumePlanes(open_volume(volume))
    except ImageError as error:
        if result is None:
            raise
        source = KeptPlanes(result.images, result.volume, error)
    return PlaneDisplay(source, first.grey, first.stack)


def _overview(planes: PlaneDisplay) -> Voxels | None:
    from inspection.images.planes import VolumePlanes
    from inspection.volumes.overview import overview

    source = planes.source
    return overview(source.volume)[0] if isinstance(source, VolumePlanes) else None


def _load(
    planes: PlaneDisplay, axis: Axis, number: int, shown: ShownImage, display: GreyDisplay
) -> PlanePicture:
    """Read a plane, and paint it as the display says.

    One that cannot be read has a reason, and what the session has kept of its slice.
    """
    try:
        found = planes.plane(axis, number)
    except (InspectionError, OSError) as error:
        picture = kept_picture(shown, error, whole=True)
        kept = picture.image is not None
        return PlanePicture(
            axis,
            number,
            shown.ref.number if kept else number,
            picture,
            heat_of(shown) if kept else None,
        )
    if found is None:
        return PlanePicture(axis, number, number, None)
    heat = heat_of(shown)
    if found[0] != shown.ref.number:
        # A neighbour's heat-map: nothing can be marked on it.
        shown = replace(shown, name="")
    return PlanePicture(axis, number, found[0], _painted(shown, GreyImage(found[1]), display), heat)


def _painted(shown: ShownImage, grey: GreyImage, display: GreyDisplay) -> Picture:
    return Picture(shown, grey.under(display.of(grey.base)), grey.roi, grey=grey)
