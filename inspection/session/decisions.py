"""What people have decided in a session: what stands, what stood before, who may undo what.

Pure: from the decisions in their order to what holds on each battery. On a battery they are a
stack: a change is laid over what stood, and an undo takes the uppermost off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inspection.people.person import Person
from inspection.session.record import BatterySummary, Decision


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision in its place among all of a session.

    Parameters
    ----------
    sequence : its place; every later one has a higher number
    restores : of an undo, the place of the decision that stands again; None where none does
    """

    sequence: int
    battery_id: str
    decision: Decision
    restores: int | None = None


class DecisionHistory:
    """All decisions of a session, as far as they have been taken.

    Parameters
    ----------
    entries : in the order in which they were taken
    """

    def __init__(self, entries: Iterable[Decided] = ()) -> None:
        self._stacks: dict[str, list[Decided]] = {}
        for entry in entries:
            self.take(entry)

    def take(self, entry: Decided) -> None:
        """Let one more decision hold."""
        stack = self._stacks.setdefault(entry.battery_id, [])
        if entry.decision.action != "undo":
            stack.append(entry)
            return
        # By what it says it restores, and not by taking one off: before there were changes, an
        # undo left its battery undecided however often it had been decided.
        back = 0 if entry.restores is None else entry.restores
        stack[:] = [kept for kept in stack if kept.sequence <= back]

    @property
    def battery_ids(self) -> tuple[str, ...]:
        """The batteries on which anything was ever decided."""
        return tuple(self._stacks)

    def standing(self, battery_id: str) -> Decided | None:
        """Return the decision that is in force on a battery."""
        stack = self._stacks.get(battery_id)
        return stack[-1] if stack else None

    def earlier(self, battery_id: str) -> tuple[Decided, ...]:
        """Return those that the one in force took the place of, oldest first."""
        return tuple(self._stacks.get(battery_id, ())[:-1])

    def undoable(self, person: Person) -> Decided | None:
        """Return what an undo would take back: the person's own last one that is in force.

        One that a colleague has changed is not in force; the colleague's is theirs to undo.
        """
        own = [
            stack[-1]
            for stack in self._stacks.values()
            if stack and stack[-1].decision.operator == person.name
        ]
        return max(own, key=lambda entry: entry.sequence, default=None)

    def restored(self, entry: Decided) -> Decided | None:
        """Return what stands again once a decision that is in force is taken back."""
        earlier = self.earlier(entry.battery_id)
        return earlier[-1] if earlier else None

    def on(self, row: BatterySummary) -> BatterySummary:
        """Return a battery's row with what is decided on it."""
        standing = self.standing(row.battery_id)
        earlier = [entry.decision for entry in self.earlier(row.battery_id)]
        return row.model_copy(
            update={"decision": standing.decision if standing else None, "earlier": earlier}
        )
