"""What is left out of the executable, and what must not be."""

from __future__ import annotations

from pathlib import Path

import pytest

import inspection

ROOT = Path(inspection.__file__).parent.parent
LINKS = {
    "libqxcb": ["libxcb.so.1", "libc.so.6"],
    "libqgtk3": ["libgtk-3.so.0"],
    "libgtk": ["libatk.so.0"],
    "libtorch_cpu": ["libcudart.so.13"],
    "libtorch_cuda": ["libcublas.so.13", "libtorch_cpu.so"],
}
LIBRARIES = [
    ("PySide6/Qt/plugins/platforms/libqxcb.so", "libqxcb", "BINARY"),
    ("PySide6/Qt/plugins/platformthemes/libqgtk3.so", "libqgtk3", "BINARY"),
    ("libxcb.so.1", "libxcb", "BINARY"),
    ("libpython3.11.so.1.0", "libpython", "BINARY"),
    ("python311.dll", "python311", "BINARY"),
    ("libgtk-3.so.0", "libgtk", "BINARY"),
    ("libatk.so.0", "libatk", "BINARY"),
    ("torch/lib/libtorch_global_deps.so", "empty", "BINARY"),
    ("torch/lib/libtorch_cpu.so", "libtorch_cpu", "BINARY"),
    ("torch/lib/libtorch_cuda.so", "libtorch_cuda", "BINARY"),
    ("torch/lib/libtorch_cuda_linalg.so", "libtorch_cuda_linalg", "BINARY"),
    ("nvidia/cu13/lib/libcudart.so.13", "libcudart", "BINARY"),
    ("nvidia/cu13/lib/libcublas.so.13", "libcublas", "BINARY"),
    ("nvidia/cudnn/lib/libcudnn_ops.so.9", "libcudnn_ops", "BINARY"),
    ("nvidia/cu13/lib/libcusolverMg.so.12", "libcusolverMg", "BINARY"),
    ("torchvision/_C_stable.so", "_C_stable", "EXTENSION"),
]


@pytest.fixture
def kept(contents):
    """Return what is kept of the libraries above: where each comes from, by its name."""

    def filtered(*, cpu_only: bool) -> dict[str, str]:
        chosen = contents.Contents(lambda path: LINKS.get(path, []), cpu_only)
        return {name.rpartition("/")[2]: source for name, source, _ in chosen.libraries(LIBRARIES)}

    return filtered


def test_what_only_an_unused_plugin_is_linked_to_goes_with_it(kept):
    names = kept(cpu_only=False)
    assert {"libqxcb.so", "libxcb.so.1", "libpython3.11.so.1.0", "python311.dll"} <= names.keys()
    assert not names.keys() & {"libqgtk3.so", "libgtk-3.so.0", "libatk.so.0"}


def test_with_cuda_every_library_that_torch_may_load_stays(kept):
    names = kept(cpu_only=False)
    assert names["libcublas.so.13"] == "libcublas"
    assert {"libcudnn_ops.so.9", "libtorch_cuda_linalg.so"} <= names.keys()
    assert "libcusolverMg.so.12" not in names


def test_without_cuda_an_empty_library_stands_in_for_what_torch_is_linked_to(kept):
    names = kept(cpu_only=True)
    assert names["libcublas.so.13"] == "empty"
    assert names["libcudart.so.13"] == "libcudart"
    assert {"libtorch_cuda.so", "_C_stable.so"} <= names.keys()
    assert not names.keys() & {"libcudnn_ops.so.9", "libtorch_cuda_linalg.so"}


def test_of_transformers_only_the_models_in_use_go_in(contents):
    chosen = contents.Contents(lambda path: [], cpu_only=False)
    modules = ["transformers.models", "transformers.models.bert.modeling_bert", "torch.nn"]
    others = ["transformers.models.llama.modeling_llama", "transformers.models.llama"]
    entries = [(name, f"{name}.py", "PYMODULE") for name in (*modules, *others)]
    assert [name for name, _, _ in chosen.modules(entries)] == modules
    files = ["transformers/models/__init__.py", "transformers/models/swin/modeling_swin.py"]
    entries = [(name, name, "DATA") for name in (*files, "transformers/models/t5/modeling_t5.py")]
    assert [name for name, _, _ in chosen.files(entries)] == files


def test_of_qts_translations_the_korean_one_goes_in(contents):
    chosen = contents.Contents(lambda path: [], cpu_only=False)
    folder = "PySide6/Qt/translations"
    entries = [(f"{folder}/{name}.qm", "", "DATA") for name in ("qtbase_ko", "qtbase_de", "qt_ko")]
    assert [name for name, _, _ in chosen.files(entries)] == [f"{folder}/qtbase_ko.qm"]


def test_nothing_tells_where_the_program_was_built(contents):
    chosen = contents.Contents(lambda path: [], cpu_only=False)
    names = [f"battery_station-0.1.0.dist-info/{name}" for name in ("METADATA", "direct_url.json")]
    assert kept_files(chosen, names) == names[:1]


def test_all_configurations_go_in_but_those_of_the_demo_models(contents):
    chosen = contents.Contents(lambda path: [], cpu_only=False)
    names = [path.relative_to(ROOT).as_posix() for path in (ROOT / "configs").rglob("*.yaml")]
    left_out = set(names) - set(kept_files(chosen, names))
    assert left_out == {"configs/demo_cnn.yaml", "configs/vlm_answers.yaml"}


def test_of_torchs_tests_only_what_torch_itself_imports_goes_in(contents):
    chosen = contents.Contents(lambda path: [], cpu_only=False)
    used = ["torch.testing", "torch.testing._internal", "torch.testing._internal.common_dtype"]
    names = [*used, "torch.testing._internal.common_utils", "torch.testing._internal.opinfo.core"]
    entries = [(name, f"{name}.py", "PYMODULE") for name in names]
    assert [name for name, _, _ in chosen.modules(entries)] == used
    files = ["torch/testing/_internal/common_dtype.py", "torch/testing/_internal/common_nn.py"]
    assert kept_files(chosen, files) == files[:1]


def kept_files(chosen, names: list[str]) -> list[str]:
    return [name for name, _, _ in chosen.files([(name, name, "DATA") for name in names])]
