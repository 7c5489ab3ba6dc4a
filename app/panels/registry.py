"""The docks, in the order of the menu that lists them. A new one is a file and a line here."""

from __future__ import annotations

from app.panels.comparison import ComparisonPanel
from app.panels.ct import CtPanel
from app.panels.dock import DockPanel
from app.panels.history import HistoryPanel
from app.panels.lot import LotPanel
from app.panels.rgb import RgbPanel
from app.panels.scores import ScoresPanel
from app.panels.verdict import VerdictPanel
from app.panels.vlg import VlgPanel
from app.panels.vlm import VlmPanel

DOCKS: tuple[type[DockPanel], ...] = (
    LotPanel,
    HistoryPanel,
    CtPanel,
    RgbPanel,
    ComparisonPanel,
    VlmPanel,
    VlgPanel,
    ScoresPanel,
    VerdictPanel,
)
