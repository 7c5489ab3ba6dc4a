"""System 2: a Qwen VLM judges the chosen images of a battery, and says why."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from inspection.errors import ImageError
from inspection.modelstore.installed import installed_model, provenance
from inspection.modelstore.vlm_folder import read_vlm_folder
from inspection.predictions import LaneResult
from inspection.results import ModelProvenance, SystemName, VlmImage
from inspection.systems.chosen_images import ChosenImage, ChosenImagesLane, OnText
from inspection.systems.placed_model import PlacedModel
from inspection.systems.vlm.answers import judge_battery, read_answer
from inspection.systems.vlm.boxes import BoxFrame
from inspection.systems.vlm.config import Prompts, VlmLimits, load_vlm_config
from inspection.systems.vlm.model import MAX_ASPECT, VlmPredictor

LIBRARIES = ("torch", "transformers")


class VlmLane(ChosenImagesLane[VlmImage, VlmPredictor, VlmLimits]):
    """Asks the VLM about the images that the run's chooser names."""

    name: SystemName = "vlm"
    kind = VlmImage

    def load(self) -> list[ModelProvenance]:
        """Load the model onto the GPU where it fits, else the CPU; refuse what fits neither."""
        config = load_vlm_config()
        path = self.settings.models.holding("vlm") / "vlm"
        model = installed_model(path, "vlm")
        folder = read_vlm_folder(path)
        limits = config.limits.as_trained(*folder.trained_pixels)
        self._scale, self._prompts = folder.family.scale, Prompts(config, folder.family.scale)

        def bytes_on(device: str) -> int:
            return folder.bytes_needed(
                4 if device == "cpu" else 2,
                max_pixels=limits.max_pixels,
                max_new_tokens=limits.max_new_tokens,
            )

        placed = self.place(
            model.name, limits, bytes_on, lambda device: VlmPredictor(folder, device)
        )
        recorded = ("min_pixels", "max_pixels", "max_new_tokens")
        return [
            provenance(
                model,
                {name: float(getattr(limits, name)) for name in recorded},
                prompt=self._prompts.identity,
                device=placed.device,
                libraries=LIBRARIES,
            )
        ]

    def answer(
        self,
        placed: PlacedModel[VlmPredictor, VlmLimits],
        shown: ChosenImage,
        cancel: threading.Event,
        on_text: OnText,
    ) -> VlmImage:
        """Let the model write on an image, in the language of the settings."""
        height, width = shown.data.pixels.shape[:2]
        if max(height, width) > MAX_ASPECT * min(height, width):
            name = shown.ref.file_name
            raise ImageError("vlm_image_too_narrow", name=name, width=width, height=height)
        modality = shown.ref.modality
        written = placed.model.answer(
            shown.data.pixels,
            self._prompts.of(modality, self.settings.language),
            placed.limits,
            cancel=cancel,
            on_text=on_text,
        )
        answer = read_answer(
            written.text,
            modality=modality,
            frame=BoxFrame(self._scale, shown.data.roi, written.input_size),
            battery_type=shown.ref.battery_type,
            finished=written.finished,
        )
        return VlmImage(
            **shown.identity(),
            state="done",
            prediction=answer.judgement,
            defect_type=answer.defect_type,
            explanation=answer.explanation,
            confidence=answer.confidence,
            bbox=list(answer.boxes),
            answer=written.text,
            form=answer.form,
        )

    def gather(self, result: LaneResult, answers: Sequence[VlmImage]) -> LaneResult:
        """Return the lane's result with the answers brought to one."""
        return replace(result, vlm=judge_battery(answers))
