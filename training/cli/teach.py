"""``trainer teach``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inspection.commands import LanguageOption, SiteOption

LOOKED_AT_S = 2.0
"""The window takes the lock for a moment to see whether it is held."""


def teach(
    request: Path,
    attached: Annotated[bool, typer.Option("--attached")] = False,
    site: SiteOption = None,
    language: LanguageOption = None,
) -> int:
    """Teach a model on good batteries, as a request of the window says.

    Everything is written into the request's folder. Progress goes to stdout, a JSON line each.
    """
    from filelock import FileLock, Timeout

    from inspection.console import INTERRUPTED
    from inspection.errors import BundleError, ConfigError, InspectionError
    from inspection.messages import Message
    from inspection.modelstore.files import read_document
    from inspection.modelstore.teaching import LOCK_NAME, RESULT_NAME, TeachRequest
    from training.loop.interruption import TrainingInterrupted
    from training.teach.telling import Teller, stopped_on_request

    folder = request.resolve().parent
    try:
        wanted = read_document(TeachRequest, folder, request.name)
    except BundleError as error:
        # Its own sentence speaks of a model's folder.
        why = error.message.params.get("problem", error.message.code)
        raise ConfigError("teach_request", file=str(request), problem=why) from error
    if (folder / RESULT_NAME).exists():
        raise ConfigError("teach_done_already", folder=str(folder))
    lock = FileLock(folder / LOCK_NAME, timeout=LOOKED_AT_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError("teach_at_work", folder=str(folder)) from error
    teller = Teller(folder)
    try:
        with stopped_on_request(folder, attached=attached):
            from training.teach.teach import teach as do

            do(wanted, folder, teller)
        teller.end("done")
    except (KeyboardInterrupt, TrainingInterrupted):
        teller.end("cancelled")
        return INTERRUPTED
    except InspectionError as error:
        teller.end("failed", error.message)
        raise
    except OSError as error:
        problem = Message(code="teach_disk", params={"problem": error.strerror or str(error)})
        teller.end("failed", problem)
        raise ConfigError(problem.code, **problem.params) from error
    except Exception as error:
        # The window shows no traceback; the log of the child has it.
        teller.end("failed", Message(code="teach_broke", params={"problem": str(error)[:300]}))
        raise
    finally:
        # Once the last word is written: whoever looks takes it for the end.
        lock.release()
    return 0
