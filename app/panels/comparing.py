"""The three systems' words on a battery, also while they still speak. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.review import BatteryView
from inspection.results import (
    BatteryResult,
    SystemName,
    Verdict,
    VlgImage,
    VlgResult,
    VlmImage,
    VlmResult,
)
from inspection.run.status import LiveAnswers

if TYPE_CHECKING:
    from inspection.agreement.battery import BatteryComparison


def comparison_of(
    view: BatteryView, live: Mapping[SystemName, LiveAnswers]
) -> BatteryComparison | None:
    """Return the systems' words side by side, None while none has spoken of the battery.

    Parameters
    ----------
    live : what the VLM and the VLG are at; goes before what they said earlier
    """
    result = result_so_far(view, live)
    if result is None:
        return None
    # Numpy, which it brings, is not needed to paint the window.
    from inspection.agreement.battery import compare_battery

    return compare_battery(result)


def result_so_far(
    view: BatteryView, live: Mapping[SystemName, LiveAnswers]
) -> BatteryResult | None:
    """Return a battery's result with what was answered of images since."""
    result, row = view.result, view.row
    answered = {
        system: said.answered
        for system, said in live.items()
        if said.battery_id == row.battery_id and said.answered and row.systems.get(system) != "done"
    }
    if result is None and answered:
        result = BatteryResult(
            battery_id=row.battery_id,
            state="running",
            systems=dict(row.systems),
            verdict=Verdict(kind="not_inspected"),
        )
    if result is None:
        return None
    vlm = [image for image in answered.get("vlm", ()) if isinstance(image, VlmImage)]
    vlg = [image for image in answered.get("vlg", ()) if isinstance(image, VlgImage)]
    news: dict[str, VlmResult | VlgResult] = {}
    if vlm:
        news["vlm"] = VlmResult(prediction="review", explanation="", images=vlm)
    if vlg:
        news["vlg"] = VlgResult(images=vlg)
    return result.model_copy(update=news)
