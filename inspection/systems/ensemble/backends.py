"""What computes a network on this computer: PyTorch, or OpenVINO where that is faster here.

Which one is faster depends on the processor, so it is measured the first time a model is loaded
on a computer, and remembered. Whatever is chosen must say what PyTorch says in single precision.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inspection.atomic import write_atomic

log = logging.getLogger(__name__)

Forward = Callable[[Tensor], Tensor]
"""(N, …) float32 to float32; on the CPU unless the network lies elsewhere."""

PLAIN = "torch f32"
MEASURED_BATCH = 8
ROUNDS = 3
TOLERANCE = 0.05
"""Largest difference from single precision that is rounding, as a share of the largest value:
bfloat16 keeps 8 bits, and some twenty layers round one after another."""
ADVANTAGE = 1.05
"""Under this a faster backend is not worth a second library in the process."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What computes a network or a part of one; ``name`` is recorded with every session."""

    name: str
    forward: Forward


class Part(nn.Module):
    """A method of a network as a network of its own.

    Parameters
    ----------
    whole : the network
    method : name of the method, from one tensor to another
    """

    def __init__(self, whole: nn.Module, method: str) -> None:
        super().__init__()
        self.whole = whole
        self.method = method

    def forward(self, x: Tensor) -> Tensor:
        """Return what the method gives."""
        result: Tensor = getattr(self.whole, self.method)(x)
        return result


def fastest_backend(
    part: Part, example: Tensor, identity: str, cache: Path, *, precise: bool = False
) -> Backend:
    """Return the backend that is fastest on this computer's processor.

    Measured once per model, library version and computer; later calls read what was found.

    Parameters
    ----------
    part : of a network in evaluation mode, on the CPU
    example : (1, …) float32, of the inputs' shape
    identity : of the network's weights
    cache : folder for the finding and for the converted network; made where it is missing
    precise : compute in single precision even where the processor is faster in bfloat16

    Returns
    -------
    Backend
        PyTorch in single precision, unless another one agrees with it and is faster.
    """
    plain = Backend(PLAIN, part)
    try:
        other_library = importlib.metadata.version("openvino")
    except importlib.metadata.PackageNotFoundError:
        other_library = "-"
    known_by = [identity, part.method, tuple(example.shape), precise, platform.node(),
                platform.machine(), os.cpu_count(), torch.__version__, other_library]  # fmt: skip
    key = hashlib.sha256("\0".join(map(str, known_by)).encode("utf-8")).hexdigest()[:24]
    kept = cache / f"{key}.json"
    try:
        found = json.loads(kept.read_text(encoding="utf-8"))["backend"]
    except (OSError, ValueError, TypeError, LookupError):
        found = None
    if found == PLAIN:
        return plain
    other = _trusted(part, plain, example, cache / key, precise=precise)
    if other is None or found == other.name:
        return other or plain
    chosen = _faster(plain, other, example)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        write_atomic(kept, json.dumps({"backend": chosen.name}))
    except OSError as error:
        # A cache that cannot be written costs a measurement at the next start.
        log.warning("cannot remember the backend: %s", error)
    return chosen


def _trusted(
    part: Part, plain: Backend, example: Tensor, stem: Path, *, precise: bool
) -> Backend | None:
    """Return a backend that agrees with PyTorch, None where there is none.

    Asked at every load: what lies in a cache may be damaged, and damaged weights still compute.
    """
    for afresh in (False, True):
        try:
            other = _open_vino(part, example, stem, precise=precise, afresh=afresh)
        except Exception as error:  # noqa: BLE001 - a library that fails must not stop the line
            log.warning("OpenVINO cannot be used: %s", error)
            continue
        x = _noise(2, example)
        with torch.inference_mode():
            expected, got = plain.forward(x), other.forward(x)
        difference = float((got - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
        # Not a number is no agreement either.
        if difference <= TOLERANCE:
            return other
        log.warning("%s differs by %.3f from single precision", other.name, difference)
    return None


class _OpenVino:
    """A network as OpenVINO computes it; used by one thread."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()

    def __call__(self, x: Tensor) -> Tensor:
        self._request.infer([x.contiguous().numpy()], share_inputs=True)
        # A copy: the request's own memory is overwritten by the next batch.
        return torch.from_numpy(self._request.get_output_tensor(0).data.copy())


def _open_vino(part: Part, example: Tensor, stem: Path, *, precise: bool, afresh: bool) -> Backend:
    """Return the part in OpenVINO, converted once and kept under the name ``stem``.

    ``afresh`` takes nothing from the cache.
    """
    import openvino

    core = openvino.Core()
    capable = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    precision = "bf16" if capable and not precise else "f32"
    path = stem.with_suffix(".xml")
    options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    if path.is_file() and not afresh:
        model = core.read_model(path)
        options["CACHE_DIR"] = str(stem.parent / "compiled")
    else:
        # The converter takes weights as they lie in memory.
        plain = copy.deepcopy(part).to(memory_format=torch.contiguous_format)
        with torch.no_grad(), warnings.catch_warnings():
            # Tracing warns of sizes that become constants; here they are constants.
            warnings.simplefilter("ignore")
            inputs = example.expand(2, *example.shape[1:])
            model = openvino.convert_model(plain, example_input=inputs)
        model.reshape(openvino.PartialShape([-1, *example.shape[1:]]))
        _save(openvino, model, path)
    compiled = core.compile_model(model, "CPU", options)
    return Backend(f"OpenVINO {precision}", _OpenVino(compiled))


def _save(openvino: Any, model: Any, path: Path) -> None:
    """Write both files of a converted network; the one that is looked for comes last."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        # Costs a conversion at the next start, no more.
        log.warning("cannot keep a converted network: %s", error)
        return
    part = path.with_name(f"{path.stem}.{os.getpid()}.part.xml")
    try:
        openvino.save_model(model, part, compress_to_fp16=False)
        part.with_suffix(".bin").replace(path.with_suffix(".bin"))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
        part.with_suffix(".bin").unlink(missing_ok=True)


def _faster(plain: Backend, other: Backend, example: Tensor) -> Backend:
    """Return ``other`` where it is clearly faster."""
    x = _noise(MEASURED_BATCH, example)
    best = {plain.name: float("inf"), other.name: float("inf")}
    with torch.inference_mode():
        for _ in range(ROUNDS):
            for backend in (plain, other):
                started = time.perf_counter()
                backend.forward(x)
                best[backend.name] = min(best[backend.name], time.perf_counter() - started)
    ratio = best[plain.name] / best[other.name]
    log.info("%s takes 1/%.2f of the time of %s", other.name, ratio, plain.name)
    return other if ratio >= ADVANTAGE else plain


def _noise(count: int, example: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, *example.shape[1:], generator=generator)
    return x.contiguous(memory_format=torch.channels_last)
