"""The checks of a lot's batteries against each other. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self

from inspection.config import GateConfig
from inspection.gate.battery import DARK, body_of
from inspection.gate.checks import over, under
from inspection.messages import Message
from inspection.records import MODALITIES, Battery, BatteryType, Modality
from inspection.results import ImageResult

FEWEST_BATTERIES = 5
"""Of fewer no median tells what is usual."""


@dataclass(frozen=True, slots=True)
class BatteryFacts:
    """What a battery is compared with the others by, of one modality.

    Parameters
    ----------
    body : a cell is compared with cells only; None where the names do not say
    images : how many the battery has
    width, height : medians of the ROI, source pixels; None where nothing was decoded
    brightness : median over the images of their mean grey level
    digests : of the pictures that show something
    """

    body: BatteryType | None
    images: int
    width: float | None
    height: float | None
    brightness: float | None
    digests: frozenset[str]

    @classmethod
    def of(cls, images: Sequence[ImageResult], body: BatteryType | None) -> Self:
        """Gather the facts of a battery's images of one modality."""
        rois = [image.roi for image in images if image.roi is not None]
        greys = [image.brightness for image in images if image.brightness is not None]
        return cls(
            body=body,
            images=len(images),
            width=median(roi.w for roi in rois) if rois else None,
            height=median(roi.h for roi in rois) if rois else None,
            brightness=median(greys) if greys else None,
            digests=frozenset(
                image.digest
                for image in images
                if image.digest is not None and (image.brightness or 0.0) >= DARK
            ),
        )


Facts = Mapping[Modality, BatteryFacts]


def facts_of(images: Sequence[ImageResult], battery: Battery) -> Facts:
    """Return a battery's facts of each modality that it has."""
    bodies = {"ct": body_of(battery.ct), "rgb": body_of(battery.rgb)}
    return {
        modality: BatteryFacts.of(own, bodies[modality])
        for modality in MODALITIES
        if (own := [image for image in images if image.modality == modality])
    }


def lot_checks(lot: Mapping[str, Facts], config: GateConfig) -> dict[str, list[Message]]:
    """Return which checks batteries fail against the whole lot, by battery.

    Parameters
    ----------
    lot : every battery of the lot that was judged
    """
    failed: defaultdict[str, list[Message]] = defaultdict(list)
    for modality in MODALITIES:
        of_modality = {name: facts[modality] for name, facts in lot.items() if modality in facts}
        found = _copied(of_modality, config, modality)
        for body in dict.fromkeys(facts.body for facts in of_modality.values()):
            alike = {name: facts for name, facts in of_modality.items() if facts.body == body}
            found += _unusual(alike, config, modality)
        for name, message in found:
            failed[name].append(message)
    return dict(failed)


def _unusual(
    lot: Mapping[str, BatteryFacts], config: GateConfig, modality: Modality
) -> list[tuple[str, Message]]:
    if len(lot) < FEWEST_BATTERIES:
        return []
    found: list[tuple[str, Message]] = []

    def fail(name: str, code: str, value: float, usual: float) -> None:
        params = {"value": round(value, 1), "usual": round(usual, 1)}
        found.append((name, Message(code=code, params=params)))

    images = median(facts.images for facts in lot.values())
    for name, facts in lot.items():
        if under(config.fewer, facts.images / images):
            fail(name, f"gate_fewer_{modality}", facts.images, images)
    for side in ("width", "height"):
        sides = {n: v for n, f in lot.items() if (v := getattr(f, side)) is not None}
        usual = median(sides.values()) if sides else 0.0
        for name, value in sides.items():
            known = {n for n, message in found if message.code == f"gate_resized_{modality}"}
            if name not in known and over(config.resized, max(value / usual, usual / value)):
                fail(name, f"gate_resized_{modality}", value, usual)
    greys = {n: f.brightness for n, f in lot.items() if f.brightness is not None}
    usual = median(greys.values()) if greys else 0.0
    for name, value in greys.items():
        if over(config.brightness, abs(value - usual)):
            fail(name, f"gate_brightness_{modality}", value, usual)
    return found


def _copied(
    lot: Mapping[str, BatteryFacts], config: GateConfig, modality: Modality
) -> list[tuple[str, Message]]:
    """Find batteries that share pictures: one of them was filed under a wrong number."""
    if not config.copied.enabled:
        return []
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for name, facts in lot.items():
        for digest in facts.digests:
            holders[digest].append(name)
    shared: defaultdict[str, Counter[str]] = defaultdict(Counter)
    counts: Counter[str] = Counter()
    for names in holders.values():
        for name in names if len(names) > 1 else ():
            counts[name] += 1
            shared[name].update(other for other in names if other != name)
    found = []
    for name, count in counts.items():
        if count >= config.copied.limit:
            other = min(shared[name], key=lambda n: (-shared[name][n], n))
            params = {"count": count, "battery": other}
            found.append((name, Message(code=f"gate_copied_{modality}", params=params)))
    return found
