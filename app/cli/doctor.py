"""``station doctor``: what this installation consists of, and what is wrong with it.

What it prints goes into a support bundle as well, with the settings and the logs. No image of a
lot and no session is in there.
"""

from __future__ import annotations

import io
import platform
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer

from app.folders import cache_folder, logs_folder, model_folders, sessions_folder
from app.platform_check import DisplayError, require_display
from app.settings import default_settings_path
from inspection import __version__
from inspection.atomic import write_atomic
from inspection.console import system_language
from inspection.errors import InspectionError
from inspection.messages import Language, Message
from inspection.modelstore.listing import list_slots
from inspection.paths import program_root
from inspection.self_check import find_devices

PROBLEM_FOUND = 1
LIBRARIES = (
    "torch",
    "torchvision",
    "transformers",
    "groundingdino-py",
    "grad-cam",
    "openvino",
    "numpy",
    "opencv-python-headless",
    "PySide6-Essentials",
)
LOW_DISK = 2_000_000_000
"""Bytes; a session of a large lot with its evidence takes about half of this."""
LOG_TAIL = 4_000_000
"""Bytes of each log file that go into the support bundle, counted from its end."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    Parameters
    ----------
    what : words before the colon; a name that is the same in every language, or a message
    value : what was found
    problem : what is wrong with it
    """

    what: str | Message
    value: str | Message
    problem: Message | None = None

    def text(self, language: Language) -> str:
        """Return the line."""
        what, value = (
            part if isinstance(part, str) else part.text(language)
            for part in (self.what, self.value)
        )
        line = f"  {what}: {value}"
        if self.problem is None:
            return line
        words = f"{self.problem.text(language)} {self.problem.hint(language)}".strip()
        return f"! {line[2:]} - {words}"


def examine(models: Path | None, sessions: Path | None, bundle: Path | None) -> int:
    """Print what there is, and write the support bundle where one is asked for.

    Returns
    -------
    int
        1 where something is wrong.

    Raises
    ------
    InspectionError
        If the support bundle cannot be written.
    """
    language = system_language()
    lines: list[str] = []
    sound = True
    for found in look(models, sessions):
        sound = sound and (isinstance(found, Message) or found.problem is None)
        lines.append(found.text(language))
        typer.echo(lines[-1])
    if bundle is not None:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("doctor.txt", "\n".join(lines) + "\n")
            settings = default_settings_path()
            if settings.is_file():
                archive.writestr(settings.name, settings.read_bytes())
            for log in sorted(logs_folder().glob("*.log*")):
                archive.writestr(f"logs/{log.name}", log.read_bytes()[-LOG_TAIL:])
        try:
            write_atomic(bundle, content.getvalue())
        except OSError as error:
            problem = error.strerror or str(error)
            raise InspectionError(
                "doctor_bundle_unwritable", file=str(bundle), problem=problem
            ) from error
        typer.echo(_label("bundle_written", file=str(bundle)).text(language))
    return 0 if sound else PROBLEM_FOUND


def look(models: Path | None, sessions: Path | None) -> Iterator[Finding | Message]:
    """Yield the heading of each section and what was found; the next is looked for when asked."""
    yield _label("program")
    yield Finding(_label("version"), __version__)
    frozen = getattr(sys, "frozen", False)
    yield Finding(_label("form"), _label("frozen" if frozen else "source"))
    yield Finding("Python", platform.python_version())
    yield Finding(_label("system"), platform.platform())

    yield _label("libraries")
    for name in LIBRARIES:
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, _label("absent"))

    yield _label("devices")
    devices = find_devices()
    yield Finding(_label("processor"), f"{devices.processor} ({devices.cores})")
    memory = f"{_gigabytes(devices.memory)} ({_gigabytes(devices.free_memory)})"
    yield Finding(_label("memory"), memory)
    yield Finding("CUDA", devices.cuda or _label("absent"))
    yield Finding(_label("driver"), devices.driver_cuda or _label("absent"))
    for gpu in devices.gpus:
        yield Finding("GPU", f"{gpu.name}, {_gigabytes(gpu.total)} ({_gigabytes(gpu.free)})")
    if not devices.gpus:
        yield Finding("GPU", _label("no_gpu"))

    yield _label("models")
    for state in list_slots(model_folders(models)):
        if state.condition != "installed":
            words: str | Message = Message(code=f"model_state_{state.condition}")
        else:
            words = f"{state.name}, {state.size / 1e6:.1f} MB, {state.sha256[:12]}"
            words = _label("demo_model", model=words) if state.demo else words
        yield Finding(state.slot, words, state.problem)

    yield _label("window")
    yield from _window()

    yield _label("folders")
    yield Finding(_label("program_folder"), str(program_root()))
    for name, folder in (
        ("sessions_folder", sessions_folder(sessions)),
        ("models_folder", model_folders(models).install),
        ("settings_folder", default_settings_path().parent),
        ("logs_folder", logs_folder()),
        ("cache_folder", cache_folder()),
    ):
        yield _folder(_label(name), folder)


def _label(name: str, **params: str | int | float) -> Message:
    return Message(code=f"doctor_{name}", params=params)


def _window() -> Iterator[Finding]:
    try:
        require_display()
    except DisplayError as error:
        # Commands without a window work all the same.
        yield Finding("Qt", error.message)
        return
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication(["station"])
    assert isinstance(app, QApplication)
    yield Finding("Qt", app.platformName())
    for screen in app.screens():
        size = screen.size()
        yield Finding(
            _label("screen"), f"{size.width()} x {size.height()}, {screen.devicePixelRatio():g}"
        )


def _folder(what: Message, folder: Path) -> Finding:
    """Look at a folder, or at the nearest one above that is there: the rest will be made."""
    there = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    free = shutil.disk_usage(there).free
    problem = Message(code="doctor_disk_low") if free < LOW_DISK else None
    try:
        # The rights alone do not tell, neither on Windows nor on a read-only disk.
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError:
        problem = Message(code="doctor_folder_read_only")
    value = _label("folder_free", folder=str(folder), size=_gigabytes(free))
    return Finding(what, value, problem)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
