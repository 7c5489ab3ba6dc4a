"""What PyInstaller has found, less what no part of the station uses.

PyInstaller's hooks collect whole libraries; each rule here says why something can go. What was
saved is in docs/decisions/0021-the-packaged-executable.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

Entry = tuple[str, str, str]
"""Where something goes in the program's folder, where it is taken from, and what it is."""
Linked = Callable[[str], Iterable[str]]
"""The libraries that a library is linked to."""

MODELS = (
    "auto", "bert", "grounding_dino", "qwen2", "qwen2_vl", "qwen2_5_vl", "qwen3_vl",
    "qwen3_vl_moe", "swin",
    # Imported by those, or by groundingdino.
    "align", "bark", "encoder_decoder", "qwen2_5_omni", "roberta",
)  # fmt: skip
"""Of the several hundred of transformers, those that the VLM and the VLG need."""

UNUSED_FILES = (
    # Name the folder of the checkout that the program was built from, and when.
    "*.dist-info/direct_url.json",
    "*.dist-info/uv_*.json",
    # Of the demo models, which are made elsewhere.
    *(f"configs/{name}.yaml" for name in ("demo_*", "vlm_answers")),
    # The window has its own Korean; of Qt's own words it shows those of qtbase.
    "PySide6/Qt/translations/*",
    "PySide6/translations/*",
    "matplotlib/mpl-data/sample_data/*",
    "sklearn/datasets/*",
    # For Intel's GPUs, on which the station does not compute.
    "openvino/libs/cache.json",
    "openvino/include/*",
    "openvino/cmake/*",
    "torch/bin/protoc*",
    "torch/include/*",
    # Their packages are not in; PyInstaller takes along what transformers could ask for.
    "pytest-*.dist-info/*",
    "hypothesis-*.dist-info/*",
    "tensorboard-*.dist-info/*",
    "torch/share/*",
)  # fmt: skip
USED_FILES = ("*/qtbase_ko.qm",)
TORCH_TESTS = ("testing/_internal", "fx/passes/tests", "_numpy/testing", "distributed/rpc/_testing")
"""Folders of torch that hold its own tests."""
TORCH_TESTS_USED = (
    "torch/testing/_internal/__init__",
    # Imported by torch.utils.checkpoint, torch._refs and FSDP.
    "torch/testing/_internal/common_dtype",
    "torch/testing/_internal/logging_tensor",
    "torch/testing/_internal/distributed/__init__",
    "torch/testing/_internal/distributed/fake_pg",
)
UNUSED_LIBRARIES = (
    # Qt's ways to screens without a desktop, to the network and to GTK's theme.
    "PySide6/Qt/plugins/egldeviceintegrations/*",
    "PySide6/Qt/plugins/generic/*",
    "PySide6/Qt/plugins/networkinformation/*",
    "PySide6/Qt/plugins/platformthemes/libqgtk3.so",
    "PySide6/Qt/plugins/tls/*",
    *(f"PySide6/Qt/plugins/platforms/libq{name}.so" for name in (
        "eglfs", "linuxfb", "minimalegl", "vkkhrdisplay", "vnc",
    )),
    "PySide6/plugins/networkinformation/*",
    "PySide6/plugins/tls/*",
    "openvino/libs/*_intel_[gn]pu_plugin.*",
    "openvino/libs/*_gguf_frontend.*",
    # Second versions, and tools to measure GPUs and to join several computers.
    "nvidia/*/libnvrtc*.alt.so*",
    "nvidia/*/libcusolverMg.so*",
    "nvidia/*/libcufftw.so*",
    "nvidia/*/libnvblas.so*",
    "nvidia/*/libnvperf_*.so*",
    "nvidia/*/libpcsamplingutil.so*",
    "nvidia/*/libcheckpoint.so*",
    "nvidia/nvshmem/lib/nvshmem_*",
)  # fmt: skip
CUDA_LIBRARIES = (
    "nvidia/*",
    "torch/lib/libtorch_cuda_linalg.so",
    # Windows: torch's CUDA build has them beside its own.
    "torch/lib/*cublas*.dll",
    "torch/lib/*cudnn*.dll",
    "torch/lib/*cufft*.dll",
    "torch/lib/*curand*.dll",
    "torch/lib/*cusolver*.dll",
    "torch/lib/*cusparse*.dll",
)
CUDA_NEEDED = ("*/libcudart.so*", "*/libcupti.so*", "*/libnvshmem_host.so*")
"""Called, or asked for an address, while torch is imported."""
EMPTY_LIBRARY = "torch/lib/libtorch_global_deps.so"
"""Holds nothing of its own."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Filters for PyInstaller's three tables.

    Parameters
    ----------
    linked : tells what a library is linked to
    cpu_only : leave CUDA out
    """

    linked: Linked
    cpu_only: bool

    def modules(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the Python modules that go in."""
        return [entry for entry in entries if not _of_no_use(entry[0].replace(".", "/"))]

    def files(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the data files that go in."""
        return [
            entry
            for entry in entries
            if not _of_no_use(_name(entry))
            and (_matches(entry, USED_FILES) or not _matches(entry, UNUSED_FILES))
        ]

    def libraries(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the compiled libraries that go in."""
        kept = [entry for entry in entries if not _matches(entry, UNUSED_LIBRARIES)]
        if self.cpu_only:
            kept = _without_cuda(kept, self.linked)
        return _needed(kept, self.linked)


def system_libraries(entries: Iterable[Entry]) -> list[Path]:
    """Return the libraries that were taken from the build system and not from a package."""
    sources = {Path(source) for _, source, kind in entries if kind == "BINARY" and source}
    own = (Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve())
    return sorted(
        path for path in sources if not any(path.resolve().is_relative_to(folder) for folder in own)
    )


def _name(entry: Entry) -> str:
    return PurePosixPath(Path(entry[0])).as_posix()


def _matches(entry: Entry, patterns: Iterable[str]) -> bool:
    return any(fnmatch(_name(entry), pattern) for pattern in patterns)


def _of_no_use(name: str) -> bool:
    """Return True for a model of transformers that is not in use, and for torch's own tests.

    Parameters
    ----------
    name : a module or a file of the program's folder, with slashes
    """
    parts = name.split("/")
    if parts[:2] == ["transformers", "models"] and len(parts) > 2:
        return parts[2] not in MODELS and not parts[2].endswith(".py")
    if not any(name.startswith(f"torch/{folder}/") for folder in TORCH_TESTS):
        return False
    module = name.removesuffix(".py")
    return module not in TORCH_TESTS_USED and f"{module}/__init__" not in TORCH_TESTS_USED


def _without_cuda(entries: list[Entry], linked: Linked) -> list[Entry]:
    """Leave CUDA's libraries out.

    On Linux torch's CUDA build does not load without the libraries that it is linked to, though
    nothing calls them where there is no GPU. An empty library stands in for each; see
    `without_cuda.py`.
    """
    empty = next((entry for entry in entries if _name(entry) == EMPTY_LIBRARY), None)
    torch = [entry for entry in entries if _name(entry).startswith("torch/lib/")]
    wanted = _all_linked(torch, linked)
    kept: list[Entry] = []
    for entry in entries:
        if not _matches(entry, CUDA_LIBRARIES) or _matches(entry, CUDA_NEEDED):
            kept.append(entry)
        elif empty is not None and Path(entry[0]).name in wanted:
            kept.append((entry[0], empty[1], entry[2]))
    return kept


def _needed(entries: list[Entry], linked: Linked) -> list[Entry]:
    """Leave out libraries of the build system that only what was left out is linked to.

    They stand at the top of the folder; whatever is deeper was asked for by name. Nothing is linked
    to Python's own library: the bootloader opens it.
    """
    while True:
        wanted = _all_linked(entries, linked)
        kept = [
            entry
            for entry in entries
            if not fnmatch(_name(entry), "lib*.so*")
            or "/" in _name(entry)
            or _name(entry).startswith("libpython")
            or entry[0] in wanted
        ]
        if len(kept) == len(entries):
            return kept
        entries = kept


def _all_linked(entries: Iterable[Entry], linked: Linked) -> set[str]:
    sources = (source for _, source, kind in entries if kind in ("BINARY", "EXTENSION"))
    return {Path(name).name for source in sources for name in linked(source)}
