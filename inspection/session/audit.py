"""The decisions of a session as its chain holds them, for whoever reads them one after another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inspection.results import Kind
from inspection.seals.chain import OLD_EVENT, ChainLine
from inspection.session.decisions import Decided
from inspection.session.record import Decision

DECIDED = "decided"
SIGNED = "signed"
SESSION = "session"
"""In the content of every line but the first: the hash of that one, which no other session has."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One decision of the audit log.

    Parameters
    ----------
    sequence : the line of the chain
    kind_before : what held on the battery until then
    changes : the line of the decision that it took the place of; None where none stood
    restores : of an undo, the line of the decision that stands again
    """

    sequence: int
    battery_id: str
    kind_before: Kind
    decision: Decision
    changes: int | None = None
    restores: int | None = None

    @property
    def decided(self) -> Decided:
        """The same in its place among all decisions."""
        return Decided(self.sequence, self.battery_id, self.decision, self.restores)

    @property
    def content(self) -> dict[str, object]:
        """What its line says."""
        return {
            "battery_id": self.battery_id,
            "kind_before": self.kind_before,
            "decision": self.decision.model_dump(mode="json", exclude_defaults=True),
            "changes": self.changes,
            "restores": self.restores,
        }


def audit_entry(line: ChainLine) -> AuditEntry | None:
    """Return the decision that a line holds, also one from before lines were signed; or None."""
    content = {key: value for key, value in line.content.items() if key != SESSION}
    if line.event == DECIDED:
        decision = Decision.model_validate(content["decision"])
        return AuditEntry(**{**content, "sequence": line.sequence, "decision": decision})
    if line.event != OLD_EVENT:
        return None
    kind_before, battery_id = content.pop("kind_before"), content.pop("battery_id")
    kind = content.pop("kind_after")
    decision = Decision.model_validate({**content, "kind": kind, "decided_at": line.at})
    return AuditEntry(line.sequence, battery_id, kind_before, decision)


def audit_entries(lines: Iterable[ChainLine]) -> tuple[AuditEntry, ...]:
    """Return the decisions of a chain in their order."""
    entries = (audit_entry(line) for line in lines)
    return tuple(entry for entry in entries if entry is not None)
