from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings, SettingsFile


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00", b"[]", b'{"opacity": 900}', b'{"theme": 3}']
)
def test_a_corrupt_file_never_blocks_a_start_and_is_put_aside(tmp_path: Path, content: bytes):
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    assert SettingsFile(path).load() == Settings()
    assert path.with_suffix(".broken").read_bytes() == content


def test_settings_come_back_as_they_were_saved(tmp_path: Path):
    file = SettingsFile(tmp_path / "new folder" / "settings.json")
    settings = Settings(language="ko", operator="박영희", theme="dark", opacity=35)
    settings = settings.with_recent(tmp_path / "로트 1").with_recent(tmp_path / "로트 2")
    file.save(settings)
    assert file.load() == settings
    assert settings.recent_lots[0].endswith("로트 2")


def test_a_lot_opened_again_moves_to_the_head(tmp_path: Path):
    settings = Settings()
    for name in [*(str(n) for n in range(12)), "3"]:
        settings = settings.with_recent(Path(name))
    assert settings.recent_lots[:2] == ("3", "11")
    assert len(settings.recent_lots) == 8


def test_a_newer_station_s_settings_are_taken_as_far_as_they_are_known(tmp_path: Path):
    path = tmp_path / "settings.json"
    path.write_text('{"schema_version": 9, "language": "ko", "holograms": true}', encoding="utf-8")
    assert SettingsFile(path).load().language == "ko"
