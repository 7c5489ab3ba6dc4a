"""The help of both programs: in either language, as wide as the terminal, in plain words."""

from __future__ import annotations

import os
import subprocess
import sys
from unicodedata import east_asian_width

import pytest
import typer.main
import yaml
from typer.core import TyperGroup

import app.__main__
import inspection
import training.__main__
from inspection.console import run
from inspection.paths import config_path

PROGRAMS = {"station": app.__main__.app, "trainer": training.__main__.app}


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("STATION_LANGUAGE", "en")


def all_commands(program: str) -> list[list[str]]:
    """Return the words that lead to each command, the program itself among them."""

    def below(command, words: list[str]):
        yield words
        if isinstance(command, TyperGroup):
            for name, part in command.commands.items():
                yield from below(part, [*words, name])

    return list(below(typer.main.get_command(PROGRAMS[program]), []))


def told(capsys, program: str, *arguments: str) -> str:
    assert run(PROGRAMS[program], program, list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_choices_and_exit_codes(capsys, option):
    text = told(capsys, "station", "inspect", option)
    assert "--device auto|cpu|cuda" in text
    assert "ensemble, vlm, vlg" in text
    assert "\n    1    a battery could not be inspected\n" in text
    assert "\n    130  stopped with Ctrl-C" in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_shows_values_plainly(capsys, program):
    for words in all_commands(program):
        text = told(capsys, program, *words, "-h")
        assert not any(sign in text for sign in ("<p", "<s", "<l", "<i", "<f", "{", "list[")), words


def test_help_is_as_wide_as_the_terminal_also_in_korean(capsys, monkeypatch):
    for columns in (60, 140):
        monkeypatch.setenv("COLUMNS", str(columns))
        for language in ("en", "ko"):
            text = told(capsys, "station", "inspect", "-h", "--language", language)
            widths = [
                sum(2 if east_asian_width(letter) in "WF" else 1 for letter in line)
                for line in text.splitlines()
            ]
            assert max(widths) <= columns
            assert "\u200b" not in text
    assert max(widths) > 80


def test_a_korean_system_has_korean_help(capsys, monkeypatch):
    monkeypatch.delenv("STATION_LANGUAGE")
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    text = told(capsys, "station", "lot", "-h")
    assert text.startswith("사용법: station lot")
    assert "[기본값: 74; " in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_both_programs_name_their_version(capsys, program):
    assert told(capsys, program, "--version") == f"{program} {inspection.__version__}\n"


def test_every_command_and_option_has_words_and_every_word_is_used():
    words = yaml.safe_load(config_path("messages/help.yaml").read_text(encoding="utf-8"))
    used, missing = {"help_exit_codes", "exit_0", "exit_2", "exit_130"}, []
    for program, application in PROGRAMS.items():
        commands = [(program, typer.main.get_command(application))]
        for code, command in commands:
            used |= {f"help_{code}", f"exit_1_{code}"}
            missing += [code] if f"help_{code}" not in words else []
            for parameter in command.params:
                codes = {f"help_{code}_{parameter.name}", f"help_option_{parameter.name}"}
                missing += [f"{code} {parameter.name}"] if not codes & words.keys() else []
                used |= codes
            if isinstance(command, TyperGroup):
                commands += [(f"{code}_{name}", part) for name, part in command.commands.items()]
    assert missing == []
    assert [code for code in words if code not in used and "_heading_" not in code] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["inspect", "없음", "--language", "ko"], "로트 폴더"),
        (["inspect", "없음", "--systems", "magic", "--language=ko"], "다음 중 하나가 아닙니다"),
        (["models", "list", "--models", "없음", "--language", "ko"], "폴더가 아닙니다"),
        (["inspect"], "Help: station inspect --help"),
    ],
)
def test_a_refusal_speaks_the_language_asked_for(
    capsys, monkeypatch, tmp_path, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    assert run(PROGRAMS["station"], "station", arguments) == 2
    assert sentence in capsys.readouterr().err
    # The next command of this process is not spoken to in Korean.
    assert told(capsys, "station", "lot", "-h").startswith("Usage: ")


def test_the_shell_completes_commands_options_and_choices():
    def completed(words: str) -> list[str]:
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run(
            [sys.executable, "-m", "app"],
            env={**os.environ, **asked, "_STATION_COMPLETE": "complete_bash"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.split()

    assert completed("station in") == ["inspect"]
    assert completed("station inspect --device c") == ["cpu", "cuda"]


def test_help_answers_at_once_because_it_imports_nothing_heavy():
    probe = (
        "import sys; from app.__main__ import app; from inspection.console import run; "
        "run(app, 'station', ['-h']); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'PySide6', 'pydantic')))"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
