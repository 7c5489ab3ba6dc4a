"""The optimisers of the training loop, by their configured names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Adam, AdamW, Muon, Optimizer

from training.loop.config import LoopConfig, MuonLoopConfig

BY_MUON = "by_muon"
"""Key of a parameter group that Muon takes."""


def muon_groups(
    settings: MuonLoopConfig,
    matrices: Sequence[nn.Parameter],
    others: Sequence[nn.Parameter],
) -> list[dict[str, Any]]:
    """Return parameters as groups of the configured optimiser.

    Parameters
    ----------
    matrices : of hidden layers, which Muon may take
    others : ends of the network, norms, biases
    """
    if settings.optimiser != "muon":
        return [{"params": [*matrices, *others], "lr": settings.learning_rate}]
    return [
        {"params": list(matrices), "lr": settings.matrix_learning_rate, BY_MUON: True},
        {"params": list(others), "lr": settings.learning_rate},
    ]


def build_optimiser(settings: LoopConfig, groups: Sequence[dict[str, Any]]) -> Optimizer:
    """Return the configured optimiser.

    Parameters
    ----------
    settings : of the loop
    groups : each with its ``params`` and ``lr``; for Muon those of `muon_groups`
    """
    decay = settings.weight_decay
    if settings.optimiser == "adam":
        return Adam(groups, weight_decay=decay, fused=True)
    if settings.optimiser == "adamw":
        return AdamW(groups, weight_decay=decay, fused=True)
    by_muon = [{**group} for group in groups if group.get(BY_MUON)]
    others = [group for group in groups if not group.get(BY_MUON)]
    for group in by_muon:
        del group[BY_MUON]
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
