"""One way to run a command line: one clear line on stderr, never a traceback for a mistake."""

from __future__ import annotations

import errno
import getpass
import locale
import os
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

    from inspection.messages import Language

WRONG_USE = 2
INTERRUPTED = 130

_asked_for: str | None = None
"""The language that the command in work was asked to speak."""


def run(app: typer.Typer, name: str, arguments: list[str] | None = None) -> int:
    """Run a typer application.

    Parameters
    ----------
    app : the application
    name : program name in front of error lines
    arguments : without the program's name; the process's own by default

    Returns
    -------
    int
        0 on success, 2 on wrong use or bad input, 130 on Ctrl-C, else the command's own code.
    """
    global _asked_for
    from typer.exceptions import TyperException
    from typer.main import get_command

    from inspection.commands import put_words

    for stream in (sys.stdout, sys.stderr):
        # A Windows console in a legacy code page must not fail on a Korean file name.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    _asked_for = _language_option(sys.argv[1:] if arguments is None else arguments)
    command: Any = get_command(app)
    put_words(command, name, system_language())
    try:
        code: Any = command(args=arguments, prog_name=name, standalone_mode=False)
        if sys.stdout is not None:
            # Here, where a full disk behind it is still one line.
            sys.stdout.flush()
    except TyperException as error:
        return _fail(name, _wrong_use(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has gone (`station inspect … --json | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        # Imported only now: it brings pydantic, which `--help` can do without.
        from inspection.errors import InspectionError

        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            if error.filename is None and sys.stdout is not None:
                # What is left to be printed would be tried again, with a traceback, at the end.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            error = InspectionError("disk_full", name=str(error.filename or "<stdout>"))
        if not isinstance(error, InspectionError):
            raise
        return _fail(name, error.text(system_language()))
    finally:
        _asked_for = None
    return code if isinstance(code, int) else 0


def ask_secret(prompt: str) -> str:
    """Return what is typed without showing it; a script gives a line for each question."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\r\n")


def system_language() -> Language:
    """Return what ``--language`` says, else ``ko`` on a Korean system (or STATION_LANGUAGE=ko)."""
    chosen = _asked_for or os.environ.get("STATION_LANGUAGE")
    if not chosen:
        # Not `locale` alone: it knows nothing before somebody sets it.
        variables = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
        chosen = next(filter(None, variables), locale.getlocale()[0] or "")
    return "ko" if chosen.lower().startswith(("ko", "korean")) else "en"


def _language_option(arguments: list[str]) -> str | None:
    """Read ahead: a refusal and the help follow ``--language`` before anything is parsed."""
    for option, following in pairwise([*arguments, ""]):
        if option == "--language":
            return following
        if option.startswith("--language="):
            return option.partition("=")[2]
    return None


def _wrong_use(error: Any) -> str:
    from inspection.messages import Message

    sentence = str(getattr(error, "format_message", error.__str__)()).removesuffix(".") + "."
    # The library's checker names its own exception in front of what is wrong.
    sentence = sentence.replace(": Value error, ", ": ")
    if getattr(error, "ctx", None) is None:
        return sentence
    hint = Message(code="usage_hint", params={"command": error.ctx.command_path})
    return f"{sentence} {hint.text(system_language())}"


def _fail(name: str, sentence: str) -> int:
    line = " ".join(sentence.split())
    if sys.stderr is not None:
        sys.stderr.write(f"{name}: {line}\n")
    elif sys.platform == "win32":
        # A program without a console has no streams on Windows. Its own message box needs no Qt,
        # which may be what is missing.
        import ctypes

        icon_of_an_error = 0x10
        ctypes.windll.user32.MessageBoxW(None, line, name, icon_of_an_error)
    return WRONG_USE
