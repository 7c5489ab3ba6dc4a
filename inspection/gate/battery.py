"""The checks of a battery's images together. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from inspection.classes import class_table
from inspection.config import GateConfig
from inspection.gate.checks import over
from inspection.messages import Message
from inspection.records import MODALITIES, BatteryType, ImageRef
from inspection.results import ImageResult

SURE = 0.9
"""Probability of one kind of body over all its classes from which a slice's word counts."""
FEWEST_CONTRADICTIONS = 3
"""Less than this many slices are misjudged, not another body's."""
DARK = 12.0
"""Mean grey level under which two pictures may be alike because nothing is in them."""


def body_of(refs: Sequence[ImageRef]) -> BatteryType | None:
    """Return which body the names of a battery's images of one modality say; None where none does.

    Of one modality, because a battery's slices and views share a number and may be of two bodies.
    """
    named = Counter(ref.battery_type for ref in refs if ref.battery_type is not None)
    return named.most_common(1)[0][0] if named else None


def battery_checks(
    images: Sequence[ImageResult],
    battery_type: BatteryType | None,
    config: GateConfig,
    strange_limits: Mapping[str, float],
) -> list[Message]:
    """Return which checks a battery fails beyond those of its images.

    Parameters
    ----------
    images : results of both modalities
    battery_type : as the names of the slices say; None where they do not
    strange_limits : by modality, the largest median distance that its model knows
    """
    failed: list[Message] = []
    for modality in MODALITIES:
        own = [image for image in images if image.modality == modality]
        found = _strange(own, config, strange_limits.get(modality))
        found += _identical(own, config)
        failed += found
    return failed + _contradicting(images, battery_type, config)


def _strange(
    images: Sequence[ImageResult], config: GateConfig, limit: float | None
) -> list[Message]:
    distances = [image.unlike for image in images if image.unlike is not None]
    if limit is None or not distances:
        return []
    middle = median(distances) / limit
    if not over(config.strange, middle):
        return []
    params = {"value": round(middle, 3), "limit": config.strange.limit, "count": len(distances)}
    return [Message(code=f"gate_strange_{images[0].modality}", params=params)]


def _identical(images: Sequence[ImageResult], config: GateConfig) -> list[Message]:
    """Find pictures that repeat another one of the battery, as a scanner sends that hangs."""
    if not config.identical.enabled:
        return []
    names: dict[str, str] = {}
    copies: Counter[str] = Counter()
    for image in images:
        if image.digest is None or (image.brightness or 0.0) < DARK:
            continue
        if names.setdefault(image.digest, image.image) != image.image:
            copies[image.digest] += 1
    if copies.total() < config.identical.limit:
        return []
    most = copies.most_common(1)[0][0]
    params = {
        "count": copies.total(),
        "image": names[most].rpartition("/")[2],
        "limit": config.identical.limit,
    }
    return [Message(code=f"gate_identical_{images[0].modality}", params=params)]


def _contradicting(
    images: Sequence[ImageResult], battery_type: BatteryType | None, config: GateConfig
) -> list[Message]:
    """Find slices that surely show another kind of body than the name says, or than the most."""
    rows = class_table().rows
    shown: Counter[BatteryType] = Counter()
    for image in images:
        sums: dict[BatteryType, float] = {}
        for name, probability in image.probabilities.items():
            body = rows[name].battery_type if name in rows else None
            if body is not None:
                sums[body] = sums.get(body, 0.0) + probability
        shown.update(body for body, total in sums.items() if total >= SURE)
    if not shown:
        return []
    expected: BatteryType = battery_type or shown.most_common(1)[0][0]
    others = shown.total() - shown[expected]
    if others < FEWEST_CONTRADICTIONS or not over(config.contradicting, others / shown.total()):
        return []
    other: BatteryType = "module" if expected == "cell" else "cell"
    code = f"gate_contradicting_name_{other}" if battery_type else f"gate_contradicting_{other}"
    params: dict[str, str | int | float] = {"count": others, "total": shown.total()}
    return [Message(code=code, params=params)]
