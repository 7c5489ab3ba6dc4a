"""What Windows shows of the program."""

from __future__ import annotations

from PIL import Image

from inspection.paths import resource_path


def test_the_version_is_four_numbers_and_its_text(windows):
    text = windows.version_text("station-gui", "1.2.3rc4")
    assert "filevers=(1, 2, 3, 4)" in text
    assert "StringStruct(\"FileVersion\", '1.2.3rc4')" in text
    assert "'station-gui.exe'" in text
    compile(text, "version", "eval")


def test_the_icon_has_every_size_and_a_picture(windows, qapp, tmp_path):
    icon = windows.draw_icon(resource_path("icons", "station.svg"), tmp_path / "station.ico")
    with Image.open(icon) as image:
        assert image.info["sizes"] == {(side, side) for side in windows.ICON_SIDES}
        assert image.getbbox() is not None
