"""Making a model folder, and making one anew: whole, or as it was."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.atomic import replace_folder, sync_folder
from inspection.gate.references import GATE_FILE, GateReferences
from inspection.images.grey import GreyLevels
from inspection.images.preprocess import Preprocess
from inspection.modelstore.bundle import (
    MANIFEST_NAME,
    WEIGHTS_NAME,
    Bundle,
    BundleManifest,
    ThresholdFile,
    load_bundle,
    manifest_digest,
)
from inspection.modelstore.files import read_json
from inspection.modelstore.folders import Slot
from inspection.modelstore.seen import SEEN_FILE, SeenImages

if TYPE_CHECKING:
    from torch import Tensor


def write_bundle(
    folder: Path,
    *,
    slot: Slot,
    name: str,
    architecture: Mapping[str, str | int | float | bool],
    labels: list[str],
    preprocess: Preprocess,
    display_scale: float,
    training: Mapping[str, Any],
    demo: bool,
    tensors: Mapping[str, Tensor],
    temperature: float = 1.0,
    threshold: ThresholdFile | None = None,
    grey_levels: GreyLevels | None = None,
    gate: GateReferences | None = None,
    seen: SeenImages | None = None,
) -> Bundle:
    """Write a bundle in one step and return it, read back and verified.

    Weights are stored in half precision; vectors (biases, normalisation statistics) keep single
    precision, where half could overflow and saves nothing.

    Parameters
    ----------
    folder : the bundle's folder; an older bundle there is replaced
    tensors : the network's state, on any device
    gate : fitted with these very weights
    seen : images of its training

    Raises
    ------
    ValueError
        If a weight does not fit half precision, or an autoencoder comes without a threshold.
    """
    from safetensors.torch import save

    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    stored: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        stored[key] = tensor.detach().cpu().contiguous()
        if tensor.is_floating_point() and tensor.ndim >= 2:
            stored[key] = stored[key].half()
            if not stored[key].isfinite().all():
                raise ValueError(f"{key} does not fit half precision")
    contents = {WEIGHTS_NAME: save(stored)}
    threshold_file = None
    if threshold is not None:
        threshold_file = f"{slot}_threshold.json"
        contents[threshold_file] = _as_json(threshold.model_dump(mode="json"))
    if gate is not None:
        contents[GATE_FILE] = gate.to_bytes()
    if seen is not None:
        contents[SEEN_FILE] = seen.to_bytes()
    content: dict[str, Any] = {
        "schema_version": 1,
        "slot": slot,
        "name": name,
        "architecture": dict(architecture),
        "labels": labels,
        "preprocess": preprocess.model_dump(mode="json"),
        "temperature": temperature,
        "display_scale": display_scale,
        "threshold_file": threshold_file,
        "grey_levels": grey_levels._asdict() if grey_levels else None,
        "gate_file": None if gate is None else GATE_FILE,
        "training": dict(training),
        "demo": demo,
        "files": {k: hashlib.sha256(data).hexdigest() for k, data in contents.items()},
        "created_at": created_at,
    }
    return _write_folder(folder, contents, content)


def rewrite_bundle(bundle: Bundle, files: Mapping[str, bytes], **changes: Any) -> Bundle:
    """Write a bundle anew in one step: other files, or other words of its manifest.

    What is not named stays to the byte, the weights and what lies beside (a model card) too.

    Parameters
    ----------
    files : contents by name, in place of older ones of the same name
    changes : fields of the manifest
    """
    folder, written = bundle.folder, read_json(bundle.folder, MANIFEST_NAME)
    contents = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    contents |= files
    listed = {*bundle.manifest.files, *files}
    content = {
        **written,
        **changes,
        "files": {name: hashlib.sha256(contents[name]).hexdigest() for name in sorted(listed)},
    }
    return _write_folder(folder, contents, content)


def _as_json(content: Any) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _write_folder(folder: Path, contents: dict[str, bytes], manifest: dict[str, Any]) -> Bundle:
    """Write a manifest and its files beside the target, then swap; return the bundle read back.

    A crash leaves the old bundle or the new.
    """
    manifest["sha256"] = manifest_digest(manifest)
    BundleManifest.model_validate(manifest)
    contents[MANIFEST_NAME] = _as_json(manifest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.new")
    fresh.mkdir()
    try:
        for name, data in contents.items():
            with (fresh / name).open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        sync_folder(fresh)
        replace_folder(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return load_bundle(folder, manifest["slot"])
