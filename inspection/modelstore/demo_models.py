"""Which systems judge with demo models, so that nobody takes their word for a real model's."""

from __future__ import annotations

from collections.abc import Iterable

from inspection.results import ModelProvenance, SystemName

_SYSTEMS: dict[str, SystemName] = {"vlm": "vlm", "vlg": "vlg", "bert": "vlg"}


def demo_slots(models: Iterable[ModelProvenance]) -> frozenset[str]:
    """Return the slots that a demo model has judged in."""
    return frozenset(model.slot for model in models if model.demo)


def demo_systems(slots: Iterable[str]) -> frozenset[SystemName]:
    """Return the systems to which some slots belong."""
    return frozenset(_SYSTEMS.get(slot, "ensemble") for slot in slots)
