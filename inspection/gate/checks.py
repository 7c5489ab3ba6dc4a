"""The gate's checks by name, and how often each of them stopped something. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from inspection.config import Check, GateConfig
from inspection.messages import Message
from inspection.results import BatteryResult

CHECKS = tuple(GateConfig.model_fields)
"""In the order in which they are made."""
_PREFIX = "gate_"


@dataclass(frozen=True, slots=True)
class CheckCount:
    """How many images, and how many batteries, did not pass a check."""

    check: str
    images: int
    batteries: int


def under(check: Check, value: float) -> bool:
    """Return whether a check is made and a value under its limit."""
    return check.enabled and not value >= check.limit


def over(check: Check, value: float) -> bool:
    """Return whether a check is made and a value over its limit."""
    return check.enabled and not value <= check.limit


def check_of(message: Message) -> str:
    """Return the check that says a sentence: its code is the check's name and what it is about."""
    said = message.code.removeprefix(_PREFIX)
    return next((name for name in CHECKS if said == name or said.startswith(f"{name}_")), said)


def stopped_by(result: BatteryResult) -> tuple[Counter[str], set[str]]:
    """Return how many images each check stopped, and the checks that the battery did not pass."""
    images = Counter(check_of(message) for image in result.images for message in image.gate)
    return images, {*images, *(check_of(message) for message in result.gate)}


def count_checks(found: Iterable[tuple[Counter[str], set[str]]]) -> list[CheckCount]:
    """Return the count of every check over some batteries.

    Parameters
    ----------
    found : of each battery, as `stopped_by` gives it
    """
    images: Counter[str] = Counter()
    batteries: Counter[str] = Counter()
    for of_images, of_battery in found:
        images.update(of_images)
        batteries.update(of_battery)
    return [CheckCount(name, images[name], batteries[name]) for name in CHECKS]
