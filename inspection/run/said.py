"""What systems have said of a battery, kept small until every system has spoken."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Collection, Iterator, Mapping

from inspection.predictions import LaneResult
from inspection.results import ChosenImages, SystemName
from inspection.systems.image_choice import ImageChooser


class Spoken(Mapping[SystemName, LaneResult]):
    """The words on one battery by system; unpacked each time one is asked for.

    A battery's 1,700 image results are some 7 MB of objects, and a fast ensemble is a whole lot
    ahead of a VLM: packed, they are a hundredth of that.

    Parameters
    ----------
    said : what was said already
    """

    def __init__(self, said: Mapping[SystemName, LaneResult] | None = None) -> None:
        self._packed: dict[SystemName, bytes] = {}
        self._chosen: dict[SystemName, ChosenImages] = {}
        self._worst: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        if isinstance(said, Spoken):
            self._packed.update(said._packed)
            self._chosen.update(said._chosen)
            self._worst = said._worst
        elif said is not None:
            for word in said.values():
                self.add(word)

    def add(self, word: LaneResult) -> None:
        """Take what a system says, in place of what it said before."""
        self._packed[word.system] = zlib.compress(pickle.dumps(word), level=1)
        if word.chosen is not None:
            self._chosen[word.system] = word.chosen
        if word.system == "ensemble" and word.state == "done":
            self._worst = word.worst_slices, word.worst_views

    def without(self, systems: Collection[SystemName]) -> Spoken:
        """Return the words of the other systems."""
        kept = Spoken(self)
        for system in systems:
            kept._packed.pop(system, None)
            kept._chosen.pop(system, None)
        if "ensemble" in systems:
            kept._worst = None
        return kept

    def remind(self, chooser: ImageChooser, battery_id: str) -> None:
        """Tell what was found and chosen earlier, so that new systems see the same images."""
        if self._worst is not None:
            chooser.set_worst(battery_id, *self._worst)
        for chosen in self._chosen.values():
            chooser.set_chosen(battery_id, chosen)

    def __getitem__(self, system: SystemName) -> LaneResult:
        # Packed by this very object: nothing from outside is ever unpickled.
        word = pickle.loads(zlib.decompress(self._packed[system]))
        assert isinstance(word, LaneResult)
        return word

    def __contains__(self, system: object) -> bool:
        return system in self._packed

    def __iter__(self) -> Iterator[SystemName]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)
