"""Sessions compared, as worded tables; read from the disk, so off the window's thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.messages import Language, Message

if TYPE_CHECKING:
    from inspection.report.blocks import Table


@dataclass(frozen=True, slots=True)
class SessionTables:
    """Tables with what has to be said of them.

    Parameters
    ----------
    sessions : the names of what is compared
    """

    sessions: tuple[str, ...]
    remarks: tuple[Message, ...]
    tables: tuple[Table, ...]


def figures_of(folder: Path, language: Language) -> SessionTables:
    """Return the systems' figures over a session, and how far they agree.

    Raises
    ------
    InspectionError
        If the session cannot be read.
    """
    from inspection.comparison.session import read_comparison
    from inspection.report.comparison_tables import agreement_table, conflicts_table, figures_tables
    from inspection.report.words import Words
    from inspection.session.store import open_to_read

    words = Words.of(language)
    with open_to_read(folder) as store:
        found = read_comparison(store)
    tables = [
        *figures_tables([found], words),
        agreement_table(found, words),
        conflicts_table(found, words),
    ]
    filled = tuple(table for table in tables if table.rows)
    return SessionTables((found.session.run_id,), tuple(found.remarks), filled)


def changes_between(one: Path, other: Path, language: Language) -> SessionTables:
    """Return what changed from the earlier of two sessions to the later one.

    Raises
    ------
    InspectionError
        If one of them cannot be read.
    """
    from inspection.comparison.changes import compare_sessions
    from inspection.report.comparison_tables import change_tables
    from inspection.report.words import Words
    from inspection.session.store import open_to_read

    with open_to_read(one) as first, open_to_read(other) as second:
        before, after = sorted((first, second), key=lambda store: store.record.created_at)
        changes = compare_sessions(before, after)
    remarks = (changes.problem,) if changes.problem else ()
    names = (changes.before.run_id, changes.after.run_id)
    return SessionTables(names, remarks, tuple(change_tables(changes, Words.of(language))))
