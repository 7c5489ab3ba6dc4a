"""The optimisers of the training loop, by their configured names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim import Adam, AdamW, Muon, Optimizer

from training.config import LoopConfig

BY_MUON = "by_muon"
"""Key of a parameter group: True where Muon may take it, as it may hidden layers' matrices."""


def build_optimiser(settings: LoopConfig, groups: Sequence[dict[str, Any]]) -> Optimizer:
    """Return the configured optimiser.

    Parameters
    ----------
    settings : of the loop
    groups : each with its ``params`` and ``lr``
    """
    by_muon = [{**group} for group in groups if group.get(BY_MUON)]
    others = [{**group} for group in groups if not group.get(BY_MUON)]
    for group in (*by_muon, *others):
        group.pop(BY_MUON, None)
    decay = settings.weight_decay
    if settings.optimiser != "muon":
        kind = AdamW if settings.optimiser == "adamw" else Adam
        return kind([*by_muon, *others], weight_decay=decay, fused=True)
    return Joint(
        [
            Muon(by_muon, weight_decay=decay, momentum=0.95),
            AdamW(others, weight_decay=decay, fused=True),
        ]
    )


class Joint(Optimizer):
    """Several optimisers, each of its own parameters, that step together.

    Parameters
    ----------
    parts : their groups become this one's, so that a schedule reaches them
    """

    def __init__(self, parts: Sequence[Optimizer]) -> None:
        self._parts = list(parts)
        super().__init__(self._groups(), {})

    def _groups(self) -> list[dict[str, Any]]:
        return [group for part in self._parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Step each part."""
        loss = None if closure is None else closure()
        for part in self._parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each part."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put each part back."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = self._groups()
