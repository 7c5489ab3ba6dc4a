"""A comparison of two models, as a release rests on it, without judging a picture."""

from __future__ import annotations

from inspection.messages import Message
from inspection.modelstore.bundle import Bundle
from inspection.modelstore.release_records import ComparedModel, Comparison, Measured, Outcomes


def compared(challenger: Bundle, present: Bundle | None, *reservations: str) -> Comparison:
    """Return a comparison of these two, with reservations by code."""
    told = [
        None
        if bundle is None
        else ComparedModel(
            name=bundle.manifest.name, sha256=bundle.sha256, demo=False, policy="0" * 64
        )
        for bundle in (challenger, present)
    ]
    assert told[0] is not None
    outcomes = Outcomes(escapes=0, overkills=1, stopped=0, gate=0, f1=1.0)
    return Comparison(
        made_at="2026-11-28T12:00:00+00:00",
        slot=challenger.manifest.slot,
        margin=0.05,
        confidence=0.95,
        challenger=told[0],
        present=told[1],
        measured=Measured(
            data=("held-out",),
            unit="battery",
            held_out="1" * 64,
            defective=80,
            normal=80,
            known_to_challenger=0,
            known_to_present=0,
            challenger=outcomes,
            present=outcomes if present else None,
        ),
        reservations=tuple(Message(code=code) for code in reservations),
    )
