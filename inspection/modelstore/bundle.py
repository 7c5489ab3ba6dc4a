"""A trained model as one self-describing folder, verified before it is used.

``bundle.json`` holds the manifest: what the model is, how images are prepared for it, what its
outputs mean, where it comes from, and the SHA-256 of every file beside it. The manifest carries a
digest of itself, so a changed display scale is noticed as surely as a changed weight.

Reading a manifest imports no torch: models can be listed before it is loaded.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from inspection.errors import BundleError, ModelMissingError
from inspection.gate.references import GateReferences
from inspection.images.grey import GreyLevels
from inspection.images.preprocess import Preprocess
from inspection.modelstore.answers import KnownAnswers, read_answers
from inspection.modelstore.files import Digest, file_digest, read_document, read_json
from inspection.modelstore.folders import ModelFolders, Slot
from inspection.modelstore.weights import check_safetensors
from inspection.record_base import Record

if TYPE_CHECKING:
    from torch import Tensor

MANIFEST_NAME = "bundle.json"
WEIGHTS_NAME = "weights.safetensors"

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
MIN_SIDE = 8
MAX_PIXELS = 1 << 23
"""Of a model's input: a picture of 8 megapixels takes gigabytes inside a network."""
_PLAIN_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")


class ThresholdFile(Record):
    """``*_threshold.json``: the score above which an image is an anomaly, and how it was found.

    Every field must be written in the file; the one that the method does not use is null. A person
    has ``chosen`` it on the scores that the other fields tell of.
    """

    threshold: Positive
    method: Literal["mean_std", "percentile", "f1_max", "chosen"]
    k: Positive | None
    percentile: Annotated[float, Field(gt=0.0, le=100.0)] | None
    computed_from: str
    num_samples: int = Field(ge=1)
    mean_error: NonNegative
    std_error: NonNegative


class TrainedGrey(Record):
    """Mean 8-bit levels of the air and the body in the slices that a model was trained on."""

    air: Annotated[float, Field(ge=0.0, le=255.0)]
    body: Annotated[float, Field(ge=0.0, le=255.0)]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.air >= self.body:
            raise ValueError("air has to be below body")
        return self


class BundleManifest(Record):
    """``bundle.json``.

    Parameters
    ----------
    slot : which part of the station the model is for
    architecture : arguments that rebuild the network
    labels : meaning of the outputs, in order; empty for an autoencoder
    preprocess : how images are prepared, the same in training and on the line
    temperature : logits are divided by it before the softmax; far from 1, every answer is alike
    display_scale : raw heat that is shown as 1.0, the same for every image
    threshold_file : name of the threshold's file; autoencoders must have one
    answers_file : name of the known answers' file (`answers.py`); None in older bundles
    grey_levels : of the CT slices that it was trained on, as they were shown to it
    gate_file : name of the file by which pictures are told that the model has never seen the
        like of; None where there is none
    training : provenance: commands, seeds, data, figures, date
    demo : True for weights trained on synthetic lots
    files : name to SHA-256 of every file that belongs to the bundle
    created_at : ISO 8601 date and time
    sha256 : digest of this manifest without this field, and so of the whole bundle
    """

    schema_version: Literal[1] = 1
    slot: Slot
    name: str = Field(min_length=1)
    architecture: dict[str, str | int | float | bool]
    labels: list[str]
    preprocess: Preprocess
    temperature: Annotated[float, Field(ge=0.01, le=100.0, allow_inf_nan=False)] = 1.0
    display_scale: Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)]
    threshold_file: str | None = None
    answers_file: str | None = None
    grey_levels: TrainedGrey | None = None
    gate_file: str | None = None
    training: dict[str, Any]
    demo: bool
    files: dict[str, Digest]
    created_at: str
    sha256: Digest

    @field_validator("files")
    @classmethod
    def _plain_names(cls, files: dict[str, str]) -> dict[str, str]:
        # A manifest may come from anywhere: it must not reach outside its folder.
        for name in files:
            if not _PLAIN_NAME.match(name):
                raise ValueError(f"{name!r} is not a plain file name")
        return files

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if WEIGHTS_NAME not in self.files:
            raise ValueError(f"{WEIGHTS_NAME} is not listed in files")
        # Classes have probabilities, which the fusion policy has a threshold for.
        if not self.labels and self.threshold_file is None:
            raise ValueError("threshold_file is required for an autoencoder")
        for name in (self.threshold_file, self.answers_file, self.gate_file):
            if name is not None and name not in self.files:
                raise ValueError(f"{name} is not listed in files")
        return self

    @model_validator(mode="after")
    def _sees_what_its_slot_shows(self) -> Self:
        spec = self.preprocess
        if spec.modality != ("rgb" if self.slot == "rgb_ae" else "ct"):
            raise ValueError(f"{self.slot} judges no {spec.modality.upper()} images")
        if self.slot == "rgb_ae" and spec.channels != 3:
            raise ValueError("rgb_ae needs 3 channels")
        if min(spec.width, spec.height) < MIN_SIDE or spec.width * spec.height > MAX_PIXELS:
            raise ValueError(f"an input of {spec.width} x {spec.height} pixels is out of range")
        # Beyond these every pixel is the same number to the model.
        if max(map(abs, spec.mean)) > 10 or min(spec.std) < 1e-3 or max(spec.std) > 10:
            raise ValueError("mean or std is out of range")
        return self


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified model folder."""

    manifest: BundleManifest
    folder: Path
    sha256: str
    threshold: ThresholdFile | None
    answers: KnownAnswers | None = None
    gate: GateReferences | None = None

    def load_tensors(self) -> dict[str, Tensor]:
        """Return the weights by name; floating ones as float32.

        Raises
        ------
        BundleError
            If the file cannot be opened, or one of its numbers is none.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(self.folder / WEIGHTS_NAME)
        except (OSError, SafetensorError) as error:
            file = f"{self.folder.name}/{WEIGHTS_NAME}"
            raise BundleError("model_weights_damaged", file=file) from error
        for name, stored in tensors.items():
            # A copy: what is read lies in the file itself, which another model may replace.
            tensor = stored.clone()
            if tensor.is_floating_point():
                tensor = tensor.float()
                if not tensor.isfinite().all():
                    raise BundleError(
                        "model_weights_not_finite", folder=self.folder.name, tensor=name
                    )
            tensors[name] = tensor
        return tensors


def find_bundle(models_dir: Path, slot: Slot) -> Bundle:
    """Return the bundle of a slot, which lies in ``models_dir/slot``.

    Raises
    ------
    ModelMissingError
        If there is no such folder.
    BundleError
        If the bundle is incomplete or altered.
    """
    folder = models_dir / slot
    if not folder.is_dir():
        raise ModelMissingError("model_not_installed", system=slot)
    return load_bundle(folder, slot)


def reference_levels(models: ModelFolders) -> GreyLevels | None:
    """Return the levels to which stacks are brought; None where the CT model does not say any.

    Only the manifest is read: whoever loads the model tells what is wrong with it.
    """
    try:
        folder = models.holding("ct_cnn") / "ct_cnn"
        trained = read_document(BundleManifest, folder, MANIFEST_NAME).grey_levels
    except BundleError:
        return None
    return GreyLevels(trained.air, trained.body) if trained else None


def load_bundle(folder: Path, slot: Slot | None = None) -> Bundle:
    """Read and verify a model folder.

    Parameters
    ----------
    slot : refuse a model of another one; by default the manifest says which it is

    Raises
    ------
    BundleError
        If a file is missing or altered, a field is missing or wrong, or the model is for
        another slot; the sentence names the file or field.
    """
    manifest = read_document(BundleManifest, folder, MANIFEST_NAME)
    # Over what is written, not over what was read: a number may be spelt in two ways.
    if manifest_digest(read_json(folder, MANIFEST_NAME)) != manifest.sha256:
        raise BundleError("bundle_altered", folder=folder.name, file=MANIFEST_NAME)
    if slot is not None and manifest.slot != slot:
        raise BundleError(
            "bundle_wrong_slot", folder=folder.name, found=manifest.slot, expected=slot
        )
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise BundleError("bundle_file_missing", folder=folder.name, file=name)
        if file_digest(path) != expected:
            raise BundleError("bundle_altered", folder=folder.name, file=name)
    # A file that was cut before it was hashed has the right digest.
    check_safetensors(folder / WEIGHTS_NAME)
    threshold = None
    if manifest.threshold_file is not None:
        threshold = read_document(ThresholdFile, folder, manifest.threshold_file)
    answers = None
    if manifest.answers_file is not None:
        answers = read_answers(folder, manifest.answers_file, manifest.preprocess.modality)
    gate = None
    if manifest.gate_file is not None:
        gate = GateReferences.read(folder / manifest.gate_file, manifest.files[WEIGHTS_NAME])
    return Bundle(manifest, folder, manifest.sha256, threshold, answers, gate)


def manifest_digest(content: Mapping[str, Any]) -> str:
    """Return the digest that a manifest carries of itself, over all its other fields."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()
