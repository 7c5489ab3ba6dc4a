"""What is shipped is under licences that were agreed to, and its notices go with it."""

from __future__ import annotations

from importlib.metadata import PathDistribution

import pytest


@pytest.fixture
def installed(tmp_path):
    """Return a maker of installed packages with the metadata given."""

    def make(name: str, *lines: str, licence_text: str = "") -> PathDistribution:
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        header = ("Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines)
        (folder / "METADATA").write_text("\n".join(header) + "\n", encoding="utf-8")
        files = ["METADATA"]
        if licence_text:
            (folder / "LICENSE").write_text(licence_text, encoding="utf-8")
            files.append("LICENSE")
        record = "".join(f"{folder.name}/{file},,\n" for file in files)
        (folder / "RECORD").write_text(record, encoding="utf-8")
        return PathDistribution(folder)

    return make


def test_everything_that_is_shipped_is_under_an_allowed_licence(licences):
    packages = licences.shipped_packages()
    licences.check(packages)
    names = {package.name for package in packages}
    assert {"torch", "transformers", "groundingdino-py", "PySide6_Essentials"} <= names
    assert not names & {"pytest", "pyinstaller", "tensorboard"}


def test_what_the_extras_bring_is_under_an_allowed_licence(licences):
    pytest.importorskip("h5py")
    pytest.importorskip("zarr")
    packages = licences.shipped_packages("battery-station[hdf5,zarr]")
    licences.check(packages)
    assert {"h5py", "zarr", "numcodecs"} <= {package.name for package in packages}


def test_what_brings_no_text_of_its_own_has_one_here(licences):
    # Of MIT and BSD the holder's name is part of the text; other texts are the same for all.
    own = [p for p in licences.shipped_packages() if p.licence.startswith(("MIT", "BSD"))]
    here = {path.stem for path in licences.TEXTS.glob("*.txt")}
    assert "pyjpegls" in here
    assert not [p.name for p in own if not p.texts and p.name not in here]


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only", True),
        ("MIT AND GPL-2.0-only", False),
        ("(Apache-2.0 OR GPL-2.0-only) ", True),
        ("Apache-2.0 WITH LLVM-exception AND MIT", True),
    ],
)
def test_of_several_licences_one_that_is_allowed_is_enough(licences, expression, allowed):
    assert licences.is_allowed(expression) is allowed


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        (["License-Expression: BSD-3-Clause"], "BSD-3-Clause"),
        (["License: Apache 2.0 License"], "Apache-2.0"),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: MIT License"], "MIT"),
        (["Classifier: License :: OSI Approved :: BSD License"], "BSD-3-Clause"),
    ],
)
def test_a_licence_is_told_from_whichever_field_names_it(licences, installed, lines, licence):
    assert licences._licence(installed("abacus", *lines)) == licence


def test_a_licence_that_nobody_states_is_an_error_and_no_guess(licences, installed):
    for name, line in (("one", "License: see the file license.txt"), ("two", "Summary: none")):
        with pytest.raises(licences.LicenceError, match=name):
            licences._licence(installed(name, line))


def test_a_package_under_the_gpl_is_refused_by_name(licences):
    package = licences.Package("abacus", "1.0", "GPL-3.0-only", ())
    with pytest.raises(licences.LicenceError, match=r"abacus 1\.0: GPL-3\.0-only"):
        licences.check([package])


def test_the_notices_hold_every_text(licences, installed, tmp_path):
    found = installed("abacus", "License-Expression: MIT", licence_text="Permission, beads.")
    out, library = tmp_path / "NOTICES", tmp_path / "libbead.so.1"
    library.touch()
    licences.write_notices(out, [licences._package(found)], [library])
    text = out.read_text(encoding="utf-8")
    for words in (
        "abacus 1.0 (MIT)",
        "Permission, beads.",
        "GNU LESSER GENERAL PUBLIC LICENSE",
        "SIL OPEN FONT LICENSE",
        "bootloader",
        "libbead.so.1",
    ):
        assert words in text
