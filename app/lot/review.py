"""What the window knows of a lot under review: plain frozen data, no Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.names import told_name
from inspection.records import Axis, Battery, ImageRef, named_section, plane_suffix
from inspection.results import (
    SYSTEMS,
    AnyImage,
    BatteryResult,
    BatteryState,
    ImageResult,
    Kind,
    StackGrey,
    SystemName,
    SystemState,
    VlgImage,
    VlmImage,
)
from inspection.run.status import LiveAnswers
from inspection.session.record import BatterySummary, Decision, final_kind

if TYPE_CHECKING:
    from inspection.images.display import StackDisplay


@dataclass(frozen=True, slots=True)
class Row:
    """A battery's line in the lot list.

    Parameters
    ----------
    battery : its images
    state : how far the run has come with it
    systems : state of each system, empty where it is not known
    kind : the station's verdict, None where there is none yet
    decision : the one in force, None where undecided
    earlier : those that it took the place of, oldest first
    unsaved : True while the decision is not on the disk
    conflict : True where the systems contradict each other, as far as it is known
    """

    battery: Battery
    state: BatteryState = "queued"
    systems: Mapping[SystemName, SystemState] = field(default_factory=dict)
    kind: Kind | None = None
    defect_type: str | None = None
    fused_score: float | None = None
    cnn_prob: float | None = None
    ae_score: float | None = None
    ct_ae_score: float | None = None
    decision: Decision | None = None
    earlier: tuple[Decision, ...] = ()
    unsaved: bool = False
    conflict: bool = False

    @property
    def battery_id(self) -> str:
        """The battery's id."""
        return self.battery.battery_id

    @property
    def final_kind(self) -> Kind | None:
        """The last word on the battery; None where nobody has spoken."""
        if self.kind is None and self.decision is None:
            return None
        return final_kind(self.kind or "not_inspected", self.decision)

    @property
    def suspicious(self) -> bool:
        """True for a battery that was inspected, or should have been, and is not normal."""
        return self.kind is not None and self.kind != "normal"

    @property
    def undecided(self) -> bool:
        """True where the operator has not spoken."""
        return self.decision is None

    @property
    def overruled(self) -> bool:
        """True where a person's word stands in the place of the station's."""
        return self.decision is not None and self.decision.action != "accept"

    @property
    def contradicted(self) -> bool:
        """True where the verdict has changed since the operator accepted it."""
        return self.decision is not None and self.decision.is_outdated(self.kind)

    def with_result(self, result: BatteryResult) -> Row:
        """Return the row after the systems have spoken; the decision stays."""
        # Numpy, which it brings, is not needed to paint the window.
        from inspection.agreement.battery import in_conflict

        judged = result.state not in ("queued", "running") or result.ensemble is not None
        verdict = result.verdict
        systems = dict(result.systems)
        for name, state in systems.items():
            # A result knows who has spoken, not who is at it.
            if state == "queued" and self.systems.get(name) == "running":
                systems[name] = "running"
        return replace(
            self,
            state=result.state,
            systems=systems,
            kind=verdict.kind if judged else None,
            defect_type=verdict.defect_type if judged else None,
            fused_score=verdict.fused_score,
            cnn_prob=verdict.cnn_prob,
            ae_score=verdict.ae_score,
            ct_ae_score=verdict.ct_ae_score,
            conflict=in_conflict(result),
        )

    def with_summary(self, summary: BatterySummary) -> Row:
        """Return the row as a saved session has it."""
        finished = summary.state not in ("queued", "running")
        # A run that broke off may have left the verdict of a battery that others still wait for.
        judged = finished or summary.kind != "not_inspected"
        return replace(
            self,
            state=summary.state if finished else "queued",
            kind=summary.kind if judged else None,
            defect_type=summary.defect_type,
            fused_score=summary.fused_score,
            cnn_prob=summary.cnn_prob,
            ae_score=summary.ae_score,
            ct_ae_score=summary.ct_ae_score,
            conflict=summary.conflict,
            decision=summary.decision,
            earlier=tuple(summary.earlier),
            unsaved=False,
        )

    def with_system(self, system: SystemName, state: SystemState) -> Row:
        """Return the row with one system's state changed."""
        systems = {name: self.systems.get(name, "queued") for name in SYSTEMS}
        return replace(self, systems={**systems, system: state})


@dataclass(frozen=True, slots=True)
class ShownImage:
    """One image with what the ensemble found on it, ready to be shown.

    Parameters
    ----------
    ref : the file, which may be gone where a session outlived its lot
    name : what results call it: its path within the lot
    result : None where the image was not inspected yet
    session : folder in which its heat-map and evidence are, None without a session
    grey : window that its stack was judged under; None before, and on RGB
    stack : how its stack can be shown without; None on RGB
    kept : whose picture stands for the file once that is gone, where ``result`` is not to be shown
    """

    ref: ImageRef
    name: str
    result: ImageResult | None = None
    session: Path | None = None
    grey: StackGrey | None = None
    stack: StackDisplay | None = None
    kept: ImageResult | None = None


@dataclass(frozen=True, slots=True)
class BatteryView:
    """Everything the panels show of the current battery."""

    row: Row
    images: tuple[ShownImage, ...] = ()
    result: BatteryResult | None = None

    @property
    def ct(self) -> tuple[ShownImage, ...]:
        """The CT slices."""
        return tuple(image for image in self.images if image.ref.modality == "ct")

    @property
    def rgb(self) -> tuple[ShownImage, ...]:
        """The RGB views."""
        return tuple(image for image in self.images if image.ref.modality == "rgb")


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An image that a VLM or VLG looked at.

    Parameters
    ----------
    shown : the image
    answer : None while it is in work
    text : what was written so far of an answer in work
    """

    shown: ShownImage
    answer: VlmImage | VlgImage | None = None
    text: str = ""


def answered_images(
    view: BatteryView, system: SystemName, live: LiveAnswers | None
) -> tuple[ShownAnswer, ...]:
    """Return the images of a battery that a VLM or VLG looked at, the one in work last.

    Parameters
    ----------
    view : the battery
    system : ``vlm`` or ``vlg``
    live : what the system is at; goes before what it said earlier, if it is this battery
    """
    # Without the ensemble's word on them, which is another system's.
    by_name = {image.name: replace(image, result=None, kept=image.result) for image in view.images}
    if live is not None and live.battery_id == view.row.battery_id:
        answers: Sequence[AnyImage] = live.answered
    else:
        live = None
        answers = view.result.images_of(system) if view.result else ()
    found = [
        ShownAnswer(by_name[answer.image], answer)
        for answer in answers
        if answer.image in by_name and not isinstance(answer, ImageResult)
    ]
    if live is not None:
        found += [
            ShownAnswer(image, text=live.text)
            for image in by_name.values()
            if image.ref == live.image
        ]
    return tuple(found)


def battery_view(
    row: Row,
    result: BatteryResult | None,
    lot_root: Path,
    session: Path | None,
    stack: StackDisplay | None = None,
) -> BatteryView:
    """Return a battery with its images' results beside them."""
    found = {image.image: image for image in result.images} if result else {}
    prefix = lot_root.as_posix().rstrip("/") + "/"
    images = []
    for ref in (*row.battery.ct, *row.battery.rgb):
        name = told_name(ref.path.as_posix().removeprefix(prefix)) + plane_suffix(ref.section)
        judged = found.get(name)
        if ref.modality == "rgb":
            images.append(ShownImage(ref, name, judged, session))
            continue
        grey = result.grey if result else None
        if grey is None and judged is not None and judged.state == "done":
            # Of a session from before there were windows.
            grey = StackGrey(method="dtype")
        images.append(ShownImage(ref, name, judged, session, grey, stack))
    return BatteryView(row, tuple(images), result)


def battery_of(
    known: BatterySummary | BatteryResult,
    images: Sequence[AnyImage],
    root: Path,
) -> Battery:
    """Return a battery from a session alone, where its lot cannot be scanned any more."""
    sections = [named_section(root, i.image, i.axis, i.number) for i in images]
    refs = [
        ImageRef(
            path=section.volume.path if section else root / image.image,
            modality=image.modality,
            battery_id=known.battery_id,
            axis=image.axis,
            number=image.number,
            battery_type=None,
            form=None,
            label_path=None,
            section=section,
        )
        for image, section in zip(images, sections, strict=True)
    ]
    return Battery(
        battery_id=known.battery_id,
        ct_id=known.ct_id,
        rgb_id=known.rgb_id,
        ct=tuple(ref for ref in refs if ref.modality == "ct"),
        rgb=tuple(ref for ref in refs if ref.modality == "rgb"),
    )


def first_shown(images: Sequence[ShownImage], worst: Sequence[str]) -> ShownImage | None:
    """Return the image to show first: the worst where it is known, else one in the middle."""
    by_name = {image.name: image for image in images}
    for name in worst:
        if name in by_name:
            return by_name[name]
    # In the middle of its axis: of a flat volume the others have far more or fewer slices.
    axis = images[len(images) // 2].ref.axis if images else None
    beside = [image for image in images if image.ref.axis == axis]
    return beside[len(beside) // 2] if beside else None


def axes_of(images: Sequence[ShownImage]) -> tuple[Axis, ...]:
    """Return the axes that have slices."""
    present = {image.ref.axis for image in images}
    axes: tuple[Axis, ...] = ("x", "y", "z")
    return tuple(axis for axis in axes if axis in present)
