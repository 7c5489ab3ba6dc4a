"""What a dock is: a panel with a name and a place, which takes what it shows from the station."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from PySide6.QtWidgets import QDockWidget

from app.actions import Actions
from app.controller import Controller
from app.dialogs.conversations import Conversations
from app.lot.review import BatteryView
from app.panels.demo_note import DemoModels
from app.widgets.grey_display import GreyDisplay
from app.widgets.layers import Layers
from app.widgets.panel import Panel
from app.widgets.plots import Plots


class DockPlace(NamedTuple):
    """Where a dock stands at first.

    Parameters
    ----------
    side : of another dock
    of : that dock's name; empty for the one that all others stand beside
    share : of the window's width for "right", of its height for "below"; None leaves it to Qt
    widest : pixels, for a dock beside the pictures; what it leaves is theirs, by their shares
    """

    side: Literal["right", "below", "tab"]
    of: str = ""
    share: float | None = None
    widest: int | None = None


@dataclass(frozen=True, slots=True)
class PanelContext:
    """What a dock's panel is made with, and takes what it needs from."""

    controller: Controller
    actions: Actions
    dialogs: Conversations
    layers: Layers
    display: GreyDisplay
    demo: DemoModels
    plots: Plots


class DockPanel(Panel):
    """A dock's content. It is made with the context, and connects itself to what it shows."""

    name: ClassVar[str]
    place: ClassVar[DockPlace]
    room: ClassVar[Literal["keeps", "makes", "takes"]] = "keeps"
    """What becomes of its room when the systems are compared: one dock takes that of others."""
    walks_answers: ClassVar[bool] = False
    """Of those in sight, the first steps to another image of the VLM and the VLG."""

    def __init__(self, context: PanelContext) -> None:
        super().__init__()
        self.context = context

    def title(self) -> str:
        """Return the dock's title in the window's language."""
        raise NotImplementedError

    def step(self, delta: int) -> None:
        """Go to a neighbour of what is shown, where there is one."""

    def step_back(self) -> None:
        """Go to the one before."""
        self.step(-1)

    def step_on(self) -> None:
        """Go to the next one."""
        self.step(1)

    def come_to_front(self) -> None:
        """Show the dock, if it is behind another one's tab."""
        dock = self.parentWidget()
        assert isinstance(dock, QDockWidget)
        dock.raise_()


def same_battery(one: BatteryView | None, other: BatteryView | None) -> bool:
    """Return True where two views are of one battery."""
    return one is not None and other is not None and one.row.battery_id == other.row.battery_id
