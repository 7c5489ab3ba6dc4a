"""A lot that was judged, without a model, and what people say of its batteries and images."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from inspection.lot.scan import scan_lot
from inspection.records import Battery, ImageRef, image_name
from inspection.results import BatteryResult, Box, ImageResult, Verdict
from inspection.session.creating import create_session
from inspection.session.prints import print_images
from inspection.session.record import Decision, Region
from inspection.session.store import SessionStore

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def judged_lot(root: Path, sessions: Path, now: datetime = NOW) -> SessionStore:
    """Open a session in which every battery of a lot is judged as normal."""
    lot = scan_lot(root)
    store = create_session(
        sessions, lot=lot, language="en", config={}, device="cpu", operator="Kim", now=now
    )
    for battery in lot.batteries:
        images = [
            ImageResult(
                image=image_name(ref, root),
                modality=ref.modality,
                axis=ref.axis,
                number=ref.number,
                state="done",
            )
            for ref in images_of(battery)
        ]
        store.save_battery(
            BatteryResult(
                battery_id=battery.battery_id,
                state="done",
                verdict=Verdict(kind="normal"),
                images=images,
                prints=print_images(battery, root),
            )
        )
    return store


def images_of(battery: Battery) -> tuple[ImageRef, ...]:
    return (*battery.ct, *battery.rgb)


def word(kind: str, operator: str = "Kim", minute: int = 0, **more) -> Decision:
    action = "accept" if kind == "normal" else "override"
    at = NOW + timedelta(minutes=minute)
    return Decision(action=action, kind=kind, operator=operator, decided_at=at, **more)


def region(image: str, x: int = 10, y: int = 12, side: int = 20) -> Region:
    return Region(image=image, box=Box(x=x, y=y, w=side, h=side))
