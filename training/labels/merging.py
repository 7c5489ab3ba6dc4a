"""What several sessions of one lot say together: later words count, and who differs is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from inspection.messages import Message
from inspection.session.confirmed import (
    Confirmed,
    ConfirmedImage,
    DecidedBattery,
    DrawnRegion,
    LeftOut,
)

Said = TypeVar("Said", DrawnRegion, ConfirmedImage)


@dataclass(frozen=True, slots=True)
class Taught:
    """What counts.

    Parameters
    ----------
    decided : the word that counts on each battery
    images : confirmed as normal, by name; none of them has a region
    regions : by the image that they are on
    left_out : what does not count, and why
    """

    decided: dict[str, DecidedBattery]
    images: dict[str, ConfirmedImage]
    regions: dict[str, DrawnRegion]
    left_out: tuple[LeftOut, ...]


def merge(sessions: Sequence[Confirmed]) -> Taught:
    """Return what the sessions of one lot teach together."""
    ordered = sorted(sessions, key=lambda session: session.run_id)
    left_out: list[LeftOut] = []
    decided, disputed = _decided(ordered, left_out)
    regions: dict[str, DrawnRegion] = {}
    for region in _by_time(region for session in ordered for region in session.regions):
        word = decided.get(region.battery_id)
        if word is not None and _agrees(word, region):
            regions[region.image] = region
        elif region.battery_id not in disputed:
            _tell(left_out, "collect_region_overruled", region.battery_id, region.image)
    images: dict[str, ConfirmedImage] = {}
    for image in _by_time(image for session in ordered for image in session.images):
        drawn = regions.get(image.image)
        if drawn is not None:
            _tell(left_out, "collect_image_overruled", image.battery_id, image.image)
        if drawn is None or drawn.at < image.at:
            regions.pop(image.image, None)
            images[image.image] = image
    undecided: dict[str, LeftOut] = {}
    for session in ordered:
        left_out += [*session.contradicting, *session.unusable]
        undecided |= {one.battery_id: one for one in session.undecided}
    known = decided.keys() | disputed
    left_out += [one for battery_id, one in undecided.items() if battery_id not in known]
    return Taught(decided, images, regions, tuple(left_out))


def _decided(
    sessions: Sequence[Confirmed], left_out: list[LeftOut]
) -> tuple[dict[str, DecidedBattery], set[str]]:
    """Return the word that counts on each battery, and those on which a session left people apart.

    A battery on which people differ in one session teaches nothing until a later one settles it.
    """
    decided: dict[str, DecidedBattery] = {}
    disputed: set[str] = set()
    for session in sessions:
        for one in session.contradicting:
            if one.image is None or one.reason.code == "confirmed_normal_with_region":
                decided.pop(one.battery_id, None)
                disputed.add(one.battery_id)
        for word in session.decided:
            before = decided.get(word.battery_id)
            if before is not None and _said(before) != _said(word):
                _tell(left_out, "collect_word_overruled", word.battery_id, None)
            if before is None or before.at <= word.at:
                decided[word.battery_id] = word
            disputed.discard(word.battery_id)
    return decided, disputed


def _agrees(word: DecidedBattery, region: DrawnRegion) -> bool:
    return word.kind != "normal" and word.defect_type in (None, region.defect_type)


def _said(word: DecidedBattery) -> tuple[str, str | None]:
    return word.kind, word.defect_type


def _by_time(said: Iterable[Said]) -> list[Said]:
    return sorted(said, key=lambda one: one.at)


def _tell(left_out: list[LeftOut], code: str, battery_id: str, image: str | None) -> None:
    params: dict[str, str | int | float] = {"battery": battery_id}
    if image is not None:
        params["image"] = image
    left_out.append(LeftOut(battery_id, Message(code=code, params=params), image))
