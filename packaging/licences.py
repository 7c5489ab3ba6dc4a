"""The licences of what the executable contains: checked against a list, and written into one file.

``python packaging/licences.py`` exits 1 where a package's licence is not on the list or cannot be
told; with ``--out FILE`` it writes the notices as well. The build does both.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROGRAM = "battery-station"
TEXTS = Path(__file__).parent / "licences"
RULE = "=" * 100

ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause",
    "BSL-1.0", "CC0-1.0", "CNRI-Python", "ISC", "LicenseRef-NVIDIA-Proprietary", "MIT", "MIT-0",
    "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib",
    # Linked at run time, and exchangeable: the libraries are files of their own in the folder.
    "LGPL-3.0-only",
}  # fmt: skip
ALIASES = {
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "FreeBSD": "BSD-2-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "NVIDIA Proprietary Software": "LicenseRef-NVIDIA-Proprietary",
    "Python Software Foundation License": "PSF-2.0",
}
"""How packages write a licence that has a shorter name."""
STATED = {
    # Its metadata hold the licence's whole text.
    "groundingdino-py": "Apache-2.0",
    # Holds nothing; names the NVIDIA packages that belong together.
    "cuda-toolkit": "LicenseRef-NVIDIA-Proprietary",
}
"""Licences of packages whose metadata do not name them."""
ABSENT = {
    # The headless build is installed in its place.
    "opencv-python",
    # Sends figures over the network, and is left out of the environment.
    "openvino-telemetry",
}
QT_NOTE = """\
Qt and PySide6 are used under the GNU Lesser General Public License, version 3. Their libraries are
files of their own in the folder PySide6 of this program and may be exchanged for other builds of
the same version. Their source is published by The Qt Company under https://code.qt.io.
"""
BOOTLOADER_NOTE = """\
The two programs start through PyInstaller's bootloader. It is under the GNU General Public License,
version 2, with an exception: a program that is built with it may be passed on under any licence.
"""
FONTS_NOTE = """\
Station Gothic is derived from Nanum Gothic and is under the SIL Open Font License, version 1.1.
"""
FEATURES_NOTE = """\
The frozen features in resources/models/features are weights of EfficientNet-Lite, converted to half
precision; origin.json beside them says from what. They are under the Apache License, version 2.0.
"""
SYSTEM_NOTE = """\
Libraries of the system that this program was built on. They are files of their own in this
program's folder and may be exchanged.
"""


class LicenceError(Exception):
    """A package must not be in the executable, or nobody knows."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that goes in.

    Parameters
    ----------
    licence : an SPDX expression
    texts : contents of its licence files
    """

    name: str
    version: str
    licence: str
    texts: tuple[str, ...]


def shipped_packages(program: str = PROGRAM) -> list[Package]:
    """Return every package that the program needs here, by name.

    Raises
    ------
    LicenceError
        If a needed package is not installed, or its licence cannot be told.
    """
    found = {dist.metadata["Name"]: dist for dist in _needed(program)}
    return [_package(found[name]) for name in sorted(found, key=str.lower)]


def check(packages: Sequence[Package]) -> None:
    """Compare every licence with the list.

    Raises
    ------
    LicenceError
        If a licence is not on it.
    """
    refused = [f"{p.name} {p.version}: {p.licence}" for p in packages if not is_allowed(p.licence)]
    if refused:
        raise LicenceError("Not on the list of allowed licences: " + "; ".join(refused))


def is_allowed(expression: str) -> bool:
    """Return True where one of the choices of an SPDX expression consists of allowed licences."""
    bare = expression.replace("(", " ").replace(")", " ")
    choices = [choice.split(" AND ") for choice in bare.split(" OR ")]
    return any(all(" ".join(part.split()) in ALLOWED for part in parts) for parts in choices)


def write_notices(out: Path, packages: Sequence[Package], system: Sequence[Path] = ()) -> None:
    """Write what has to go with the program.

    Parameters
    ----------
    system : libraries of the build system that go in as well
    """
    root = TEXTS.parent.parent
    parts = [
        _section("Battery inspection station", (root / "LICENSE").read_text(encoding="utf-8")),
        _section("PyInstaller's bootloader", BOOTLOADER_NOTE),
        _section("Fonts", FONTS_NOTE + _text(root / "resources" / "fonts" / "OFL.txt")),
        _section(
            "Frozen features",
            FEATURES_NOTE + _text(root / "resources" / "models" / "features" / "LICENSE"),
        ),
        _section("Qt", QT_NOTE),
        *(_section(path.stem, _text(path)) for path in sorted(TEXTS.glob("*.txt"))),
        *(_section(f"{p.name} {p.version} ({p.licence})", *p.texts) for p in packages),
        *_system_sections(system),
    ]
    out.write_text("\n".join(parts), encoding="utf-8")


def _needed(program: str) -> Iterator[Distribution]:
    waiting = [Requirement(program)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in seen or key[0] in ABSENT:
            continue
        seen.add(key)
        try:
            found = distribution(wanted.name)
        except PackageNotFoundError as error:
            raise LicenceError(f"{wanted.name} is needed and not installed.") from error
        yield found
        waiting += _requirements(found, wanted.extras)


def _requirements(found: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for line in found.requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": name}) for name in ("", *extras)):
            yield requirement


def _package(found: Distribution) -> Package:
    name = found.metadata["Name"]
    return Package(name, found.version, _licence(found), tuple(_licence_texts(found)))


def _licence(found: Distribution) -> str:
    name = canonicalize_name(found.metadata["Name"])
    if name in STATED:
        return STATED[name]
    metadata = found.metadata
    classified = [
        line.rpartition("::")[2].strip()
        for line in metadata.get_all("Classifier") or ()
        if line.startswith("License ::")
    ]
    for stated in (metadata.get("License-Expression"), metadata.get("License"), *classified):
        licence = ALIASES.get(stated or "", stated or "")
        if _is_expression(licence):
            return licence
    raise LicenceError(f"The licence of {name} cannot be told; state it in packaging/licences.py.")


def _is_expression(text: str) -> bool:
    """Return True for names joined by AND, OR or WITH: packages also write whole texts."""
    words = text.replace("(", " ").replace(")", " ").split()
    joined = all(word in ("AND", "OR", "WITH") for word in words[1::2])
    return bool(words) and joined and words != ["UNKNOWN"]


def _licence_texts(found: Distribution) -> Iterator[str]:
    for file in sorted(found.files or (), key=str):
        words = file.as_posix().upper()
        inside = any(part.endswith(".dist-info") for part in file.parts[:1])
        if inside and any(word in words for word in ("LICEN", "NOTICE", "COPYING", "AUTHORS")):
            yield _text(Path(str(found.locate_file(file))))


def _system_sections(libraries: Sequence[Path]) -> Iterator[str]:
    """Name each library of the system, with its package's own notice where Debian's tools are."""
    if not libraries:
        return
    yield _section("System libraries", SYSTEM_NOTE + "\n".join(sorted(p.name for p in libraries)))
    if shutil.which("dpkg-query") is None:
        return
    for package in sorted({name for path in libraries if (name := _debian_package(path))}):
        copyright_file = Path("/usr/share/doc", package, "copyright")
        if copyright_file.is_file():
            yield _section(f"{package} (system library)", _text(copyright_file))


def _debian_package(library: Path) -> str | None:
    for path in (library, library.resolve()):
        told = subprocess.run(
            ["dpkg-query", "--search", str(path)], capture_output=True, text=True, check=False
        )
        if told.returncode == 0:
            return told.stdout.partition(":")[0]
    return None


def _section(title: str, *texts: str) -> str:
    return "\n".join((RULE, title, RULE, "", *texts, ""))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def main() -> int:
    """Check, and write where asked to."""
    parser = argparse.ArgumentParser(description="Check the licences of what the station ships.")
    parser.add_argument("--out", type=Path, help="file for the notices")
    options = parser.parse_args()
    try:
        packages = shipped_packages()
        check(packages)
    except LicenceError as error:
        print(error, file=sys.stderr)
        return 1
    if options.out is not None:
        write_notices(options.out, packages)
    print(f"{len(packages)} packages, all under allowed licences.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
