"""The shares of a split."""

from __future__ import annotations

from pydantic import model_validator

from inspection.config import Config, Fraction


class Split(Config):
    """Shares of batteries; a battery is never on two sides."""

    train: Fraction = 0.70
    val: Fraction = 0.15
    test: Fraction = 0.15

    @model_validator(mode="after")
    def _sums_to_one(self) -> Split:
        if abs(self.train + self.val + self.test - 1.0) > 1e-6:
            raise ValueError("train, val and test must sum to 1")
        return self
