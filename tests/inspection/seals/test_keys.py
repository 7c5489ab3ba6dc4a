"""The station's key: made once, for nobody else, and trusted unless the site says otherwise."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from inspection.errors import SealError
from inspection.seals.keys import fingerprint, is_signed, station_key, trusted_fingerprints
from inspection.site import use_site

DIGEST = "ab" * 32


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A station that has no key yet."""
    folder = tmp_path / "fresh station"
    monkeypatch.setenv("STATION_DATA", str(folder))
    return folder


def test_the_key_is_made_once_and_only_the_stations_account_reads_it(fresh: Path) -> None:
    assert trusted_fingerprints() == frozenset()
    key = station_key()
    assert station_key().public == key.public
    (kept,) = (fresh / "keys").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert trusted_fingerprints() == {fingerprint(key.public)}


def test_a_signature_holds_for_its_hash_and_its_key_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = station_key()
    signature = key.sign(DIGEST)
    assert is_signed(key.public, DIGEST, signature)
    assert not is_signed(key.public, "cd" * 32, signature)
    monkeypatch.setenv("STATION_DATA", str(tmp_path / "another station"))
    other = station_key()
    assert other.public != key.public
    assert not is_signed(other.public, DIGEST, signature)
    for nonsense in ("", "no base64", base64.b64encode(b"short").decode()):
        assert not is_signed(nonsense, DIGEST, signature)
        assert not is_signed(key.public, DIGEST, nonsense)


def test_the_site_names_the_keys_that_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATION_SITE", str(tmp_path))
    named = f"SHA256:{DIGEST}"
    text = f"keeping:\n  trusted_keys:\n    - {named}\n"
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    use_site(tmp_path)
    station_key()
    assert trusted_fingerprints() == {named}


def test_a_damaged_key_is_told_and_not_replaced(fresh: Path) -> None:
    station_key()
    path = fresh / "keys" / "station.pem"
    path.write_bytes(b"-----BEGIN nothing")
    with pytest.raises(SealError, match=r"station\.pem"):
        station_key()
    assert path.read_bytes() == b"-----BEGIN nothing"


def test_programs_that_start_at_once_agree_on_one_key() -> None:
    code = "from inspection.seals.keys import station_key; print(station_key().public)"
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)
    ]
    keys = {process.communicate()[0] for process in started}
    assert len(keys) == 1
    assert len(base64.b64decode(keys.pop())) == 32
