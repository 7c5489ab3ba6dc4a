"""System 2: a Qwen VLM judges the chosen images of a battery, and says why."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

from inspection.errors import ImageError
from inspection.messages import Language
from inspection.modelstore.installed import installed_model, provenance
from inspection.modelstore.vlm_folder import VlmFolder, read_vlm_folder
from inspection.predictions import LaneResult
from inspection.records import Battery
from inspection.results import ModelProvenance, SystemName, VlmImage
from inspection.systems.chosen_images import Looker, OnText, ShownImage, look
from inspection.systems.lane import LaneSettings, OnEvent
from inspection.systems.memory import empty_cache
from inspection.systems.placed_model import PlacedModel
from inspection.systems.vlm.answers import judge_battery, read_answer
from inspection.systems.vlm.boxes import BoxFrame
from inspection.systems.vlm.config import Prompts, VlmLimits, load_vlm_config
from inspection.systems.vlm.model import MAX_ASPECT, VlmPredictor

LIBRARIES = ("torch", "transformers")


class VlmLane:
    """Asks the VLM about the images that the run's chooser names."""

    name: SystemName = "vlm"

    def __init__(self, settings: LaneSettings) -> None:
        self.settings = settings
        self._writer: _Writer | None = None

    def load(self) -> list[ModelProvenance]:
        """Load the model onto the GPU where it fits, else the CPU; refuse what fits neither."""
        config = load_vlm_config()
        path = self.settings.models.holding("vlm") / "vlm"
        model = installed_model(path, "vlm")
        folder = read_vlm_folder(path)
        limits = config.limits.as_trained(*folder.trained_pixels)
        prompts = Prompts(config, folder.family.scale)
        try:
            self._writer = _Writer(model.name, folder, limits, prompts, self.settings)
        except Exception:
            self.close()
            raise
        return [
            provenance(
                model,
                {
                    "min_pixels": float(limits.min_pixels),
                    "max_pixels": float(limits.max_pixels),
                    "max_new_tokens": float(limits.max_new_tokens),
                },
                prompt=prompts.identity,
                device=self._writer.device,
                libraries=LIBRARIES,
            )
        ]

    def expect(self, battery: Battery | None) -> None:
        """Prepare nothing: an image is decoded in a fraction of the time it is looked at."""

    def inspect(self, battery: Battery, cancel: threading.Event, on_event: OnEvent) -> LaneResult:
        """Let the model write on each chosen image, and bring the answers to one."""
        if self._writer is None:
            raise RuntimeError("load() comes first")
        looker = self._writer.looker(self.settings.language)
        result, answers = look(looker, battery, self.settings, cancel, on_event)
        if result.state != "done":
            return result
        return replace(result, vlm=judge_battery(answers))

    def close(self) -> None:
        """Drop the model, and give its part of the GPU back."""
        self._writer = None
        self.settings.gpu.release("vlm")
        empty_cache()


class _Writer:
    """The loaded model, and what it is asked.

    Parameters
    ----------
    name : of the model, for the operator
    folder : where it is
    limits, prompts : what an answer may cost, and what is asked
    settings : where the model may go
    """

    def __init__(
        self,
        name: str,
        folder: VlmFolder,
        limits: VlmLimits,
        prompts: Prompts,
        settings: LaneSettings,
    ) -> None:
        self._scale = folder.family.scale
        self._prompts = prompts
        self._widest = limits
        self._placed = PlacedModel(
            "vlm",
            name,
            settings,
            limits,
            partial(_bytes_on, folder, limits),
            lambda device: VlmPredictor(folder, device),
        )

    @property
    def device(self) -> str:
        """Where the model is."""
        return self._placed.device

    def looker(self, language: Language) -> Looker[VlmImage]:
        """Return what the walk over images needs; answers are asked for in ``language``."""
        return Looker(
            system="vlm",
            kind=VlmImage,
            answer=partial(self._answer, language),
            ladder=self._placed.ladder,
            max_pixels=self._widest.max_pixels,
        )

    def _answer(
        self, language: Language, shown: ShownImage, cancel: threading.Event, on_text: OnText
    ) -> VlmImage:
        _refuse_narrow(shown)
        modality = shown.ref.modality
        written = self._placed.model.answer(
            shown.data.pixels,
            self._prompts.of(modality, language),
            self._placed.limits,
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


def _bytes_on(folder: VlmFolder, limits: VlmLimits, device: str) -> int:
    return folder.bytes_needed(
        4 if device == "cpu" else 2,
        max_pixels=limits.max_pixels,
        max_new_tokens=limits.max_new_tokens,
    )


def _refuse_narrow(shown: ShownImage) -> None:
    height, width = shown.data.pixels.shape[:2]
    if max(height, width) > MAX_ASPECT * min(height, width):
        name = shown.ref.path.name
        raise ImageError("vlm_image_too_narrow", name=name, width=width, height=height)
