"""System 2: a Qwen VLM judges the chosen images of a battery, and says why."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from inspection.assemble import LaneResult
from inspection.chosen_lane import Looker, OnText, ShownImage, look
from inspection.errors import ImageError
from inspection.lanes import LaneSettings, OnEvent
from inspection.memory import Ladder, Step, empty_cache
from inspection.messages import Language, Message
from inspection.model_store import installed_model, provenance
from inspection.models.vlm import MAX_ASPECT, VlmPredictor
from inspection.models.vlm_folder import VlmFolder, read_vlm_folder
from inspection.placement import place_model, require_ram
from inspection.records import Battery
from inspection.results import ModelProvenance, SystemName, VlmImage
from inspection.vlm_answers import judge_battery, read_answer
from inspection.vlm_boxes import BoxFrame
from inspection.vlm_config import Prompts, VlmConfig, VlmLimits, load_vlm_config

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
        prompts = Prompts(config, folder.family.scale)
        try:
            self._writer = _Writer(model.name, folder, config, prompts, self.settings)
        except Exception:
            self.close()
            raise
        limits = config.limits
        return [
            provenance(
                model,
                {
                    "max_pixels": float(limits.max_pixels),
                    "max_new_tokens": float(limits.max_new_tokens),
                },
                prompt=prompts.identity,
                device=self._writer.device,
                libraries=LIBRARIES,
            )
        ]

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
    """The loaded model, and what it may still spend.

    Parameters
    ----------
    name : of the model, for the operator
    folder : where it is
    config, prompts : what it is asked
    settings : where it may go
    """

    def __init__(
        self,
        name: str,
        folder: VlmFolder,
        config: VlmConfig,
        prompts: Prompts,
        settings: LaneSettings,
    ) -> None:
        self._name = name
        self._folder = folder
        self._prompts = prompts
        self._settings = settings
        self._limits = self._widest = config.limits
        placement = place_model("vlm", name, settings, self._bytes_on)
        self.device = placement.device
        loading = Ladder(self._cpu_step(self._leave_gpu), placement.steps)
        self._predictor = loading.run(lambda: VlmPredictor(folder, self.device))
        self._ladder = Ladder(
            [*self._pixel_steps(), *self._cpu_step(self._move_to_cpu)], loading.taken
        )

    def looker(self, language: Language) -> Looker[VlmImage]:
        """Return what the walk over images needs; answers are asked for in ``language``."""
        return Looker(
            system="vlm",
            kind=VlmImage,
            answer=partial(self._answer, language),
            ladder=self._ladder,
            max_pixels=self._widest.max_pixels,
        )

    def _answer(
        self, language: Language, shown: ShownImage, cancel: threading.Event, on_text: OnText
    ) -> VlmImage:
        _refuse_narrow(shown)
        modality = shown.ref.modality
        written = self._predictor.answer(
            shown.data.pixels,
            self._prompts.of(modality, language),
            self._limits,
            cancel=cancel,
            on_text=on_text,
        )
        frame = BoxFrame(self._folder.family.scale, shown.data.source_size, written.input_size)
        answer = read_answer(
            written.text,
            modality=modality,
            frame=frame,
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

    def _bytes_on(self, device: str) -> int:
        return self._folder.bytes_needed(
            4 if device == "cpu" else 2,
            max_pixels=self._widest.max_pixels,
            max_new_tokens=self._widest.max_new_tokens,
        )

    def _pixel_steps(self) -> list[Step]:
        steps: list[Step] = []
        limits = self._limits.fewer_pixels()
        while limits is not None:
            words = Message(code="memory_step_pixels", params={"pixels": limits.max_pixels})
            steps.append((words, partial(self._set_limits, limits)))
            limits = limits.fewer_pixels()
        return steps

    def _set_limits(self, limits: VlmLimits) -> None:
        self._limits = limits

    def _cpu_step(self, leave: Callable[[], None]) -> list[Step]:
        return [] if self.device == "cpu" else [(Message(code="memory_step_cpu"), leave)]

    def _leave_gpu(self) -> None:
        self._settings.gpu.release("vlm")
        require_ram(self._name, self._bytes_on("cpu"))
        self.device = "cpu"

    def _move_to_cpu(self) -> None:
        self._leave_gpu()
        self._predictor.move_to_cpu()


def _refuse_narrow(shown: ShownImage) -> None:
    height, width = shown.data.pixels.shape[:2]
    if max(height, width) > MAX_ASPECT * min(height, width):
        name = shown.ref.path.name
        raise ImageError("vlm_image_too_narrow", name=name, width=width, height=height)
