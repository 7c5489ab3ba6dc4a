"""The panels of the window: made once, joined to each other, and told what the controller tells."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.controller import Controller
from app.panels.comparison import ComparisonPanel
from app.panels.ct import CtPanel
from app.panels.history import HistoryPanel
from app.panels.lot import LotPanel
from app.panels.rgb import RgbPanel
from app.panels.scores import ScoresPanel
from app.panels.verdict import VerdictPanel
from app.panels.vlg import VlgPanel
from app.panels.vlm import VlmPanel
from app.review import BatteryView, Row
from app.widgets.panel import Panel
from app.widgets.plots import Plots
from app.window.actions import Actions
from inspection.modelstore.catalogue import demo_slots, demo_systems
from inspection.records import Lot
from inspection.results import ModelProvenance, SessionRecord, SystemName
from inspection.run.status import LaneStatus, LiveAnswers


class PanelSet(QObject):
    """Every panel by its own name.

    Parameters
    ----------
    controller : what it tells is shown
    actions : those that the panels have buttons for
    """

    failed = Signal(object)
    """A picture could not be shown."""
    models_wanted = Signal()

    def __init__(self, controller: Controller, actions: Actions, parent: QObject) -> None:
        super().__init__(parent)
        self._controller = controller
        self._demo: frozenset[str] = frozenset()
        files = controller.files
        layers = (actions["overlay"], actions["boxes"])
        plots = Plots(files, self)
        plots.failed.connect(controller.failed)
        self.lot = LotPanel()
        self.history = HistoryPanel()
        self.ct = CtPanel(files, layers)
        self.rgb = RgbPanel(files, layers, plots)
        self.vlm = VlmPanel(files, actions["boxes"])
        self.vlg = VlgPanel(files, actions["boxes"])
        self.comparison = ComparisonPanel(files, layers)
        self.scores = ScoresPanel(plots)
        self.verdict = VerdictPanel((actions["accept"], actions["override"], actions["undo"]))
        self._join()
        self._listen()
        self.show_thresholds()

    def by_name(self) -> dict[str, Panel]:
        """Return the panels by the names of their docks."""
        return {
            "lot": self.lot,
            "history": self.history,
            "ct": self.ct,
            "rgb": self.rgb,
            "vlm": self.vlm,
            "vlg": self.vlg,
            "comparison": self.comparison,
            "scores": self.scores,
            "verdict": self.verdict,
        }

    def _join(self) -> None:
        for panel in (self.ct, self.rgb, self.vlm, self.vlg, self.comparison):
            panel.failed.connect(self.failed)
        for image_panel in (self.ct, self.rgb):
            image_panel.opacity_changed.connect(self.set_opacity)
        for missing in (self.vlm.missing, self.vlg.missing):
            missing.models_wanted.connect(self.models_wanted)
        # The two look at the same images, and side by side they show the same one.
        self.vlm.image_chosen.connect(self.vlg.show_image)
        self.vlg.image_chosen.connect(self.vlm.show_image)

    def _listen(self) -> None:
        controller = self._controller
        self.lot.chosen.connect(controller.choose)
        self.history.open_wanted.connect(controller.open_session)
        self.history.refresh_wanted.connect(controller.writer.list_sessions)
        self.verdict.retry_wanted.connect(controller.writer.retry)
        controller.lot_changed.connect(self._on_lot)
        controller.row_changed.connect(self._on_row)
        controller.current_changed.connect(self._on_current)
        controller.session_changed.connect(self._on_session)
        controller.sessions_listed.connect(self.history.show_sessions)
        controller.policy_changed.connect(self.show_thresholds)
        controller.runner.models_changed.connect(self._on_models)
        controller.runner.lane_changed.connect(self._on_lane)
        controller.runner.live_changed.connect(self._on_live)

    # -- what is shown ---------------------------------------------------------------------

    def show_thresholds(self) -> None:
        """Mark the thresholds that the session shown was, or the next one will be, judged by."""
        inspector = self._controller.policy_shown.inspector
        fused = inspector.weighted_average.threshold
        self.scores.set_threshold(fused)
        self.verdict.set_marks((fused, inspector.aggregation.slice_threshold, 0.5))

    def set_bare(self, bare: bool) -> None:
        """Show the bare pictures while a key is held."""
        for panel in (self.ct, self.rgb, self.vlm, self.vlg, self.comparison):
            panel.set_bare(bare)

    def set_opacity(self, value: int) -> None:
        """Set the strength of the heat-maps, in percent."""
        for panel in (self.ct, self.rgb):
            panel.opacity.setValue(value)

    def to_worst(self) -> None:
        """Go to the worst slice and view."""
        self.ct.to_worst()
        self.rgb.to_worst()

    def step_answer(self, delta: int) -> None:
        """Go to a neighbour among the images that the VLM and the VLG looked at."""
        # Behind another's tab, or hidden, a panel has no visible part.
        answering = (self.comparison, self.vlm, self.vlg)
        shown = [panel for panel in answering if not panel.visibleRegion().isEmpty()]
        (shown[0] if shown else self.vlm).step(delta)

    def _on_lot(self, lot: Lot, rows: list[Row]) -> None:
        self.lot.show_lot(lot, rows)
        self.scores.show_rows(rows)

    def _on_row(self, row: Row) -> None:
        self.lot.update_row(row)
        self.scores.update_row(row)

    def _on_current(self, view: BatteryView | None) -> None:
        for panel in (self.ct, self.rgb, self.vlm, self.vlg, self.comparison, self.verdict):
            panel.show_battery(view)
        self.scores.set_current(view.row.battery_id if view else None)
        if view is not None:
            self.lot.set_current(view.row.battery_id)

    def _on_session(self, record: SessionRecord | None) -> None:
        self.history.set_open(record)
        self.show_thresholds()
        self._mark_demo(demo_slots(record.models) if record else frozenset())

    def _on_models(self, models: list[ModelProvenance], _device: str) -> None:
        self._mark_demo(self._demo | demo_slots(models))

    def _mark_demo(self, slots: frozenset[str]) -> None:
        self._demo = slots
        systems = demo_systems(slots)
        self.ct.set_demo("ct_cnn" in slots)
        self.rgb.set_demo("rgb_ae" in slots)
        self.vlm.set_demo("vlm" in systems)
        self.vlg.set_demo("vlg" in systems)
        self.comparison.set_demo(systems)
        self.verdict.set_demo(bool(systems))

    def _on_lane(self, view: LaneStatus) -> None:
        if view.system == "vlm":
            self.vlm.set_lane(view)
        elif view.system == "vlg":
            self.vlg.set_lane(view)

    def _on_live(self, system: SystemName, live: LiveAnswers | None) -> None:
        self.comparison.show_live(system, live)
        if system == "vlm":
            self.vlm.show_live(live)
        elif system == "vlg":
            self.vlg.show_live(live)
