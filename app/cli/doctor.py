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

from app.cli.terminal import say
from app.folders import cache_folder, logs_folder, model_folders, sessions_folder
from app.platform_check import DisplayError, require_display
from app.settings import default_settings_path
from inspection import __version__
from inspection.atomic import write_atomic
from inspection.console import system_language
from inspection.errors import InspectionError
from inspection.messages import Message
from inspection.modelstore.folders import SLOTS
from inspection.modelstore.listing import ALL_SLOTS, slot_state
from inspection.paths import program_root
from inspection.self_check import find_devices
from inspection.systems.trial import verify_model

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
class DoctorLine:
    """One line.

    Parameters
    ----------
    what : words before the colon
    value : what was found
    problem : what is wrong with it
    """

    what: str
    value: str
    problem: Message | None = None

    def __str__(self) -> str:
        if self.problem is None:
            return f"  {self.what}: {self.value}"
        words = self.problem.text_with_hint(system_language())
        return f"! {self.what}: {self.value} - {words}"


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
    lines: list[str] = []
    sound = True
    for found in look(models, sessions):
        sound = sound and (isinstance(found, str) or found.problem is None)
        lines.append(str(found))
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
        typer.echo(say("doctor_bundle_written", file=str(bundle)))
    return 0 if sound else PROBLEM_FOUND


def look(models: Path | None, sessions: Path | None) -> Iterator[DoctorLine | str]:
    """Yield the heading of each section and what was found; the next is looked for when asked."""
    yield say("doctor_program")
    yield DoctorLine(say("doctor_version"), __version__)
    frozen = getattr(sys, "frozen", False)
    yield DoctorLine(say("doctor_form"), say("doctor_frozen" if frozen else "doctor_source"))
    yield DoctorLine("Python", platform.python_version())
    yield DoctorLine(say("doctor_system"), platform.platform())

    yield say("doctor_libraries")
    for name in LIBRARIES:
        try:
            yield DoctorLine(name, version(name))
        except PackageNotFoundError:
            yield DoctorLine(name, say("doctor_absent"))

    yield say("doctor_devices")
    devices = find_devices()
    yield DoctorLine(say("doctor_processor"), f"{devices.processor} ({devices.cores})")
    memory = f"{_gigabytes(devices.memory)} ({_gigabytes(devices.free_memory)})"
    yield DoctorLine(say("doctor_memory"), memory)
    yield DoctorLine("CUDA", devices.cuda or say("doctor_absent"))
    yield DoctorLine(say("doctor_driver"), devices.driver_cuda or say("doctor_absent"))
    for gpu in devices.gpus:
        yield DoctorLine("GPU", f"{gpu.name}, {_gigabytes(gpu.total)} ({_gigabytes(gpu.free)})")
    if not devices.gpus:
        yield DoctorLine("GPU", say("doctor_no_gpu"))

    yield say("doctor_models")
    for slot in ALL_SLOTS:
        # Large models are looked at; those of the ensemble are tried out.
        own = slot in SLOTS
        state = (verify_model if own else slot_state)(model_folders(models), slot)
        words = say(f"model_state_{state.condition}")
        if state.condition == "installed":
            words = f"{state.name}, {state.size / 1e6:.1f} MB, {state.sha256[:12]}"
            words = say("doctor_demo_model", model=words) if state.demo else words
        yield DoctorLine(state.slot, words, state.problem or state.unrecorded)

    yield say("doctor_window")
    try:
        require_display()
    except DisplayError as error:
        # Commands without a window work all the same.
        yield DoctorLine("Qt", error.message.text(system_language()))
    else:
        from PySide6.QtWidgets import QApplication

        app = QApplication.instance() or QApplication(["station"])
        assert isinstance(app, QApplication)
        yield DoctorLine("Qt", app.platformName())
        for screen in app.screens():
            size = f"{screen.size().width()} x {screen.size().height()}"
            yield DoctorLine(say("doctor_screen"), f"{size}, {screen.devicePixelRatio():g}")

    yield say("doctor_folders")
    yield DoctorLine(say("doctor_program_folder"), str(program_root()))
    for name, folder in (
        ("doctor_sessions_folder", sessions_folder(sessions)),
        ("doctor_models_folder", model_folders(models).install),
        ("doctor_settings_folder", default_settings_path().parent),
        ("doctor_logs_folder", logs_folder()),
        ("doctor_cache_folder", cache_folder()),
    ):
        yield _folder(say(name), folder)


def _folder(what: str, folder: Path) -> DoctorLine:
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
    value = say("doctor_folder_free", folder=str(folder), size=_gigabytes(free))
    return DoctorLine(what, value, problem)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
