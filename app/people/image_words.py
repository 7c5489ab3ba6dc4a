"""A person's word on the image that a panel shows: that it shows nothing wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal

from app.lot.review import ShownImage
from app.lot.session_writer import SessionWriter
from app.lot.shown_lot import ShownLot
from app.people.people import People
from inspection.records import Modality
from inspection.session.image_words import ImageWord


class ImageWords(QObject):
    """Takes words on single images of the current battery, which its decision says nothing of.

    Parameters
    ----------
    shown : the lot
    writer : writes them down
    with_session : goes on with something once a session is open
    people : who says it
    """

    changed = Signal()
    """What is said of an image in sight, or what can be said of it."""

    def __init__(
        self,
        shown: ShownLot,
        writer: SessionWriter,
        with_session: Callable[[Callable[[], None]], None],
        people: People,
    ) -> None:
        super().__init__(shown)
        self._shown, self._writer, self._people = shown, writer, people
        self._with_session = with_session
        self._in_sight: dict[Modality, ShownImage | None] = {}
        self._told: dict[Modality, tuple[bool, bool]] = {}
        writer.decisions.image_said.connect(self._on_said)
        people.changed.connect(self._tell)

    def look_at(self, modality: Modality, image: ShownImage | None) -> None:
        """Note which image is in sight; None where none is shown as it was judged."""
        self._in_sight[modality] = image
        self._tell()

    def is_normal(self, modality: Modality) -> bool:
        """Return whether somebody has called the image in sight normal."""
        return self._word(modality) is not None

    def may_say(self, modality: Modality) -> bool:
        """Return whether the person can call the image normal, or take back that it was."""
        image, person = self._in_sight.get(modality), self._people.current
        judged = image is not None and image.result is not None and image.result.state == "done"
        if not judged or self._writer.read_only or not self._people.may("decide"):
            return False
        word = self._word(modality)
        own = word is None or person is None or word.operator == person.name
        return own or self._people.may("change_decision")

    def toggle(self, modality: Modality) -> None:
        """Call the image in sight normal, or take it back."""
        image, battery_id = self._in_sight.get(modality), self._shown.current_id
        if image is None or battery_id is None or not self.may_say(modality):
            return
        normal = not self.is_normal(modality)
        say = partial(self._say, battery_id, image.name, normal)
        self._people.with_person(partial(self._with_session, say))

    def _say(self, battery_id: str, image: str, normal: bool) -> None:
        person = self._people.current
        if person is not None:
            self._writer.decisions.say_of_image(battery_id, image, person, normal=normal)

    def _word(self, modality: Modality) -> ImageWord | None:
        image, battery_id = self._in_sight.get(modality), self._shown.current_id
        if image is None or battery_id is None:
            return None
        words = self._writer.decisions.image_words(battery_id)
        return next((word for word in words if word.image == image.name), None)

    def _on_said(self, _word: ImageWord) -> None:
        self._tell()

    def _tell(self) -> None:
        told = {one: (self.is_normal(one), self.may_say(one)) for one in self._in_sight}
        if told != self._told:
            self._told = told
            self.changed.emit()
