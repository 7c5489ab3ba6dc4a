"""What a release rests on, as documents: the comparison of two models, and the line of the record.

The trainer compares, the window shows and lets somebody sign, the session names the release: all
know each other by these alone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inspection.config import Config, load_section
from inspection.messages import Message
from inspection.modelstore.files import Digest
from inspection.modelstore.folders import Slot
from inspection.paths import config_path
from inspection.people.person import Person
from inspection.record_base import Finite, Probability, Record

SECTION = "release"
Count = Annotated[int, Field(ge=0)]
Unit = Literal["battery", "image_group"]


class ReleaseConfig(Config):
    """``configs/release.yaml``.

    Parameters
    ----------
    margin : largest upper bound of the difference of escape rates, new less present
    confidence : of the two-sided interval that it bounds
    """

    margin: Annotated[float, Field(gt=0.0, le=1.0)]
    confidence: Annotated[float, Field(ge=0.5, lt=1.0)]


def load_release() -> ReleaseConfig:
    """Return when a model may be released, and what the site sets.

    Raises
    ------
    ConfigError
        If the file, or what the site sets, is malformed.
    """
    file = config_path(f"{SECTION}.yaml")
    return load_section(file, ReleaseConfig, SECTION, with_site=True)


class ComparedModel(Record):
    """A model of a comparison; ``policy`` is the SHA-256 of the fusion policy that goes with it."""

    name: str
    sha256: Digest
    demo: bool
    policy: Digest


class Outcomes(Record):
    """How a model judges the units of a comparison.

    Parameters
    ----------
    escapes : defective ones that it calls normal
    overkills : normal ones that it does not call normal, those that are to be looked at with them
    stopped : those, of either sort, of which it says nothing, or only that somebody has to look
    gate : those that its gate stops, all or some images of which cannot be judged
    f1 : of what it calls defective outright
    """

    escapes: Count
    overkills: Count
    stopped: Count
    gate: Count
    f1: Probability | None = None


class Difference(Record):
    """A rate of the new model less that of the present one, on the same units.

    Parameters
    ----------
    value : None where there is nothing to count
    low, high : of the interval; None where no resample could tell one
    worse, better : units on which only the new model fails, and only the present one
    """

    value: Finite
    low: Finite | None
    high: Finite | None
    method: Literal["tango", "bootstrap"]
    worse: Count
    better: Count


class Measured(Record):
    """Two models on the same labelled units.

    Parameters
    ----------
    data : names of the lots or folders
    unit : what counts once
    held_out : SHA-256 of the list of units, with the fingerprints of their images and their truth
    defective, normal : units of either sort
    known_to_challenger, known_to_present : units left out, since that model had seen some of it
    challenger, present : what they make of the rest; None of a slot that was empty
    escape, overkill, f1 : differences, None where one of the two models or sorts is missing
    missed : defective units that the new model calls normal
    """

    data: tuple[str, ...]
    unit: Unit
    held_out: Digest
    defective: Count
    normal: Count
    known_to_challenger: Count
    known_to_present: Count
    challenger: Outcomes
    present: Outcomes | None = None
    escape: Difference | None = None
    overkill: Difference | None = None
    f1: Difference | None = None
    missed: tuple[str, ...] = ()


class Comparison(Record):
    """A new model against the one in use; what a release is decided on.

    Parameters
    ----------
    made_at : ISO 8601
    margin, confidence : as they were set
    measured : on held-out data
    golden : on the golden set, where there is one
    reservations : why it is not released unless a person signs for it; empty where it may be
    notes : what else is to be known
    """

    schema_version: Literal[1] = 1
    made_at: str
    slot: Slot
    margin: Probability
    confidence: Probability
    challenger: ComparedModel
    present: ComparedModel | None
    measured: Measured
    golden: Measured | None = None
    reservations: tuple[Message, ...] = ()
    notes: tuple[Message, ...] = ()

    @property
    def may_be_released(self) -> bool:
        """True where nobody has to sign for it."""
        return not self.reservations


class ReleaseLine(Record):
    """One line of the record: which model took a slot, who let it, and why.

    Parameters
    ----------
    replaced : SHA-256 of the model that it took the place of; None where the slot was empty
    policy : SHA-256 of the fusion policy beside the models from then on; None where there is none
    by : account or person that gave the command
    signed_by : who signed for it, where somebody did
    comparison : its evidence; None of a rollback, which needs none
    """

    slot: Slot
    name: str
    sha256: Digest
    replaced: Digest | None
    policy: Digest | None
    by: str
    signed_by: Person | None = None
    comparison: Comparison | None = None
