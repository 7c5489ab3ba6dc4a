"""System 3: a GroundingDINO looks for defects by name on the chosen images of a battery."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from inspection.errors import ModelMissingError
from inspection.modelstore.installed import InstalledModel, installed_model, provenance
from inspection.modelstore.vlg_folder import VlgFolder, read_vlg_folder
from inspection.predictions import LaneResult
from inspection.records import Battery
from inspection.results import ModelProvenance, SystemName, VlgImage, VlgResult
from inspection.systems.chosen_images import Looker, OnText, ShownImage, look
from inspection.systems.lane import LaneSettings, OnEvent
from inspection.systems.memory import empty_cache
from inspection.systems.placed_model import PlacedModel
from inspection.systems.vlg.config import VlgConfig, load_vlg_config
from inspection.systems.vlg.model import VlgPredictor

LIBRARIES = {
    "groundingdino": ("torch", "transformers", "groundingdino-py"),
    "transformers": ("torch", "transformers"),
}
"""Whose versions a session records, by backend."""


class VlgLane:
    """Looks for defects on the images that the run's chooser names."""

    name: SystemName = "vlg"

    def __init__(self, settings: LaneSettings) -> None:
        self.settings = settings
        self._finder: _Finder | None = None

    def load(self) -> list[ModelProvenance]:
        """Load the model onto the GPU where it fits, else the CPU; refuse what fits neither."""
        config = load_vlg_config()
        path = self.settings.models.holding("vlg") / "vlg"
        model = installed_model(path, "vlg")
        folder = read_vlg_folder(path, model.family)
        limits = config.limits.as_trained(*folder.trained_sides)
        config = config.model_copy(update={"limits": limits})
        bert = self._text_encoder(model) if folder.backend == "groundingdino" else None
        bert_path = self._bert_path() if bert is not None else None
        try:
            self._finder = _Finder(model.name, folder, bert_path, config, self.settings)
        except Exception:
            self.close()
            raise
        device, libraries = self._finder.device, LIBRARIES[folder.backend]
        detector = provenance(
            model,
            limits.recorded(),
            prompt=config.identity(),
            device=device,
            libraries=libraries,
        )
        if bert is None:
            return [detector]
        return [detector, provenance(bert, {}, device=device, libraries=libraries)]

    def _bert_path(self) -> Path:
        return self.settings.models.holding("bert") / "bert"

    def _text_encoder(self, model: InstalledModel) -> InstalledModel:
        try:
            return installed_model(self._bert_path(), "bert")
        except ModelMissingError as error:
            raise ModelMissingError("vlg_needs_bert", name=model.name) from error

    def expect(self, battery: Battery | None) -> None:
        """Prepare nothing: an image is decoded in a fraction of the time it is looked at."""

    def inspect(self, battery: Battery, cancel: threading.Event, on_event: OnEvent) -> LaneResult:
        """Find boxes on each chosen image, and bring them together."""
        if self._finder is None:
            raise RuntimeError("load() comes first")
        result, images = look(self._finder.looker(), battery, self.settings, cancel, on_event)
        if result.state != "done":
            return result
        return replace(result, vlg=gather(images))

    def close(self) -> None:
        """Drop the model, and give its part of the GPU back."""
        self._finder = None
        self.settings.gpu.release("vlg")
        empty_cache()


class _Finder:
    """The loaded model, and what it may still spend.

    Parameters
    ----------
    name : of the model, for the operator
    folder, bert : where it and its text encoder are
    config : what it looks for
    settings : where it may go
    """

    def __init__(
        self,
        name: str,
        folder: VlgFolder,
        bert: Path | None,
        config: VlgConfig,
        settings: LaneSettings,
    ) -> None:
        self._config = config
        needed = folder.bytes_needed(config.limits.max_pixels)
        self._placed = PlacedModel(
            "vlg",
            name,
            settings,
            config.limits,
            lambda _device: needed,
            lambda device: VlgPredictor(folder, bert, device),
        )

    @property
    def device(self) -> str:
        """Where the model is."""
        return self._placed.device

    def looker(self) -> Looker[VlgImage]:
        """Return what the walk over images needs."""
        return Looker(
            system="vlg",
            kind=VlgImage,
            answer=self._answer,
            ladder=self._placed.ladder,
            max_pixels=self._config.limits.max_pixels,
        )

    def _answer(self, shown: ShownImage, cancel: threading.Event, on_text: OnText) -> VlgImage:
        modality = shown.ref.modality
        found = self._placed.model.detect(
            shown.data,
            self._config.phrases(modality),
            self._config.defect_types(modality, shown.ref.battery_type),
            self._placed.limits,
            cancel=cancel,
        )
        return VlgImage(
            **shown.identity(),
            state="done",
            bboxes=[detection.box for detection in found],
            scores=[detection.score for detection in found],
            defect_types=[detection.defect_type for detection in found],
            phrases=[detection.phrase for detection in found],
        )


def gather(images: Sequence[VlgImage]) -> VlgResult:
    """Return the boxes of every image, surest first, each with the name of its image."""
    boxes = [
        (image.scores[number], image.bboxes[number], image.defect_types[number], image.image)
        for image in images
        for number in range(len(image.bboxes))
    ]
    # Equal scores stay in the order of the images.
    boxes.sort(key=lambda box: -box[0])
    return VlgResult(
        bboxes=[box for _, box, _, _ in boxes],
        scores=[score for score, _, _, _ in boxes],
        defect_types=[defect_type for _, _, defect_type, _ in boxes],
        box_images=[name for _, _, _, name in boxes],
        images=list(images),
    )
