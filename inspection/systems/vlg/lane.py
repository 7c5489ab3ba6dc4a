"""System 3: a GroundingDINO looks for defects by name on the chosen images of a battery."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from inspection.errors import BundleError, ModelMissingError
from inspection.modelstore.installed import InstalledModel, installed_model, provenance
from inspection.modelstore.vlg_folder import read_vlg_folder
from inspection.predictions import LaneResult
from inspection.results import ModelProvenance, SystemName, VlgImage, VlgResult
from inspection.systems.chosen_images import ChosenImage, ChosenImagesLane, OnText
from inspection.systems.placed_model import PlacedModel
from inspection.systems.vlg.config import VlgLimits, load_vlg_config
from inspection.systems.vlg.model import VlgPredictor

LIBRARIES = {
    "groundingdino": ("torch", "transformers", "groundingdino-py"),
    "transformers": ("torch", "transformers"),
}
"""Whose versions a session records, by backend."""


class VlgLane(ChosenImagesLane[VlgImage, VlgPredictor, VlgLimits]):
    """Looks for defects on the images that the run's chooser names."""

    name: SystemName = "vlg"
    kind = VlgImage

    def load(self) -> list[ModelProvenance]:
        """Load the model onto the GPU where it fits, else the CPU; refuse what fits neither."""
        config = load_vlg_config()
        path = self.settings.models.holding("vlg") / "vlg"
        model = installed_model(path, "vlg")
        folder = read_vlg_folder(path, model.family)
        limits = config.limits.as_trained(*folder.trained_sides)
        self._config = config = config.model_copy(update={"limits": limits})
        needed = folder.bytes_needed(limits.max_pixels)
        bert_path = self.settings.models.holding("bert") / "bert"
        bert: InstalledModel | None = None
        if folder.backend == "groundingdino":
            try:
                bert = installed_model(bert_path, "bert")
            except ModelMissingError as error:
                raise ModelMissingError("vlg_needs_bert", name=model.name) from error
        placed = self.place(
            model.name,
            limits,
            lambda _device: needed,
            lambda device: VlgPredictor(folder, bert_path if bert else None, device),
        )
        try:
            phrases = config.phrases("ct")
            placed.ladder.run(lambda: placed.model.check(phrases, placed.limits))
        except BundleError:
            self.close()
            raise
        device, libraries = placed.device, LIBRARIES[folder.backend]
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

    def answer(
        self,
        placed: PlacedModel[VlgPredictor, VlgLimits],
        shown: ChosenImage,
        cancel: threading.Event,
        on_text: OnText,
    ) -> VlgImage:
        """Find boxes on an image."""
        modality = shown.ref.modality
        found = placed.model.detect(
            shown.data,
            self._config.phrases(modality),
            self._config.defect_types(modality, shown.ref.battery_type),
            placed.limits,
            cancel=cancel,
        )
        return VlgImage(
            **shown.identity(),
            state="done",
            bboxes=[detection.box for detection in found],
            scores=[detection.score for detection in found],
            defect_types=[detection.defect_type for detection in found],
            phrases=[detection.phrase for detection in found],
            alternatives=[list(detection.alternatives) for detection in found],
        )

    def gather(self, result: LaneResult, answers: Sequence[VlgImage]) -> LaneResult:
        """Return the lane's result with the boxes of every image brought together."""
        return replace(result, vlg=gather(answers))


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
