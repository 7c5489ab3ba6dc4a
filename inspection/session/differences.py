"""In what a ``session.json`` is not what the chain says that it was."""

from __future__ import annotations

from collections import Counter

from inspection.messages import Message
from inspection.session.record import SessionRecord


def differences(stored: SessionRecord, told: SessionRecord, *, exact: bool) -> list[Message]:
    """Return each place in which the stored record was changed.

    Parameters
    ----------
    exact : False where ``told`` is of another moment: then rows and progress may differ
    """
    problems: list[Message] = []
    rows = {row.battery_id: row for row in told.batteries}
    for battery_id, count in Counter(row.battery_id for row in stored.batteries).items():
        if count > 1 or battery_id not in rows:
            problems.append(_row("seal_row_added", battery_id))
    for row in stored.batteries:
        if exact and row.battery_id in rows and row != rows[row.battery_id]:
            problems.append(_row("seal_row_altered", row.battery_id))
    here = {row.battery_id for row in stored.batteries}
    problems += [_row("seal_row_removed", i) for i in rows if i not in here]
    moving = {"batteries", "head"}
    if not exact:
        moving |= {"status", "updated_at", "processed_images", "total_images", "progress_percent"}
        moving |= {"error_message", "models", "device", "signatures"}
    for name in SessionRecord.model_fields:
        if name not in moving and getattr(stored, name) != getattr(told, name):
            problems.append(Message(code="seal_field_altered", params={"field": name}))
    if exact and not problems:
        # The same rows in another order.
        problems.append(Message(code="seal_field_altered", params={"field": "batteries"}))
    return problems


def _row(code: str, battery_id: str) -> Message:
    return Message(code=code, params={"battery": battery_id})
