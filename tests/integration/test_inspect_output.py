"""What `station inspect` prints: what was said, why something was not, and how to go on."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import pytest

from app.__main__ import app
from inspection.console import run
from inspection.synthetic import SyntheticLot, write_lot


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("로트 하나") / "lot"
    return write_lot(folder, SyntheticLot(batteries=2, slices=6, views=2, seed=31, defects=0.5))


def station(*arguments: str | Path) -> int:
    return run(app, "station", [str(argument) for argument in arguments])


def inspect(lot: Path, sessions: Path, *more: str | Path, language: str = "en") -> int:
    where = ("--session-dir", sessions, "--systems", "ensemble", "--language", language)
    return station("inspect", lot, *where, *more)


def command_in(text: str, start: str) -> list[str]:
    """Return the command that some output names, without the program."""
    return shlex.split(text[text.index(start) :].splitlines()[0])[1:]


def test_the_words_of_each_battery_and_the_next_commands_are_shown(lot, tmp_path, capsys):
    assert inspect(lot, tmp_path / "s", language="ko") == 0
    shown = capsys.readouterr()
    (session,) = (tmp_path / "s").iterdir()
    lines = [line for line in shown.err.splitlines() if "앙상블(데모)" in line]
    assert [line.split()[0] for line in lines] == ["001", "002"]
    assert "검사 중" in shown.err
    assert "데모 모델" in shown.out
    for start in ("station report", "station compare"):
        command = command_in(shown.out, start)
        assert command[1] == str(session)
    report = command_in(shown.out, "station report")
    assert station(*report[:-1], tmp_path / "report", "--formats", "csv") == 0


def test_a_battery_that_cannot_be_inspected_has_its_reason_in_a_line(lot, tmp_path, capsys):
    (tmp_path / "none").mkdir()
    assert inspect(lot, tmp_path / "s", "--models", tmp_path / "none", language="ko") == 1
    shown = capsys.readouterr()
    reason = "모델이 설치되어 있지 않습니다"
    said = [n for n, line in enumerate(shown.err.splitlines()) if line.startswith(("001", "002"))]
    assert all(reason in shown.err.splitlines()[n + 1] for n in said)
    assert len(said) == 2
    again = command_in(shown.out, "station inspect")
    (session,) = (tmp_path / "s").iterdir()
    assert again[again.index("--resume") + 1] == session.name
    assert again[again.index("--models") + 1] == str(tmp_path / "none")


def test_a_run_that_was_stopped_says_how_to_go_on(lot, tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("app.cli.inspect.inspect_into", lambda *_, **__: True)
        assert inspect(lot, tmp_path / "세션 둘") == 130
    command = command_in(capsys.readouterr().err, "station inspect")
    assert station(*command) == 0
    (session,) = (tmp_path / "세션 둘").iterdir()
    assert "--resume" in command
    assert session.name in command
    capsys.readouterr()

    assert station(*command) == 0
    shown = capsys.readouterr()
    assert session.name in shown.err
    assert str(session.parent) in shown.err
    assert "nothing is left" in shown.err


def test_a_session_that_is_not_there_is_named_with_where_it_was_looked_for(lot, tmp_path, capsys):
    assert inspect(lot, tmp_path / "s", "--resume", "20260101_000000") == 2
    told = capsys.readouterr().err
    assert "20260101_000000" in told
    assert str(tmp_path / "s") in told


def test_a_battery_that_the_lot_makes_review_is_told_again_but_not_counted_again(lot, tmp_path):
    from rich.console import Console
    from rich.progress import Progress

    from app.cli.run_output import RunOutput
    from inspection.lot.scan import scan_lot
    from inspection.predictions import LaneResult
    from inspection.report.words import Words
    from inspection.results import SYSTEMS
    from inspection.run.assemble import assemble
    from inspection.run.events import BatteryChanged
    from inspection.session.creating import create_session

    scanned = scan_lot(lot)
    store = create_session(tmp_path / "s", lot=scanned, language="en", config={}, device="cpu")
    off = {name: LaneResult(name, "off") for name in SYSTEMS}
    result = assemble(scanned.batteries[0], off)
    shown = io.StringIO()
    with Progress(console=Console(file=shown)) as bar:
        output = RunOutput(bar, Words.of("en"), store, len(scanned.batteries))
        for again in (False, True):
            output.take(BatteryChanged(result, None, worth_saving=True, again=again))
        assert bar.tasks[0].completed == 1
    assert shown.getvalue().count(scanned.batteries[0].battery_id) == 2
