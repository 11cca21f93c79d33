"""Becoming another program, with a shell's exit statuses where that fails."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping, Sequence

from poolwitness.cli import flush, say

NOT_FOUND = 127
NOT_EXECUTABLE = 126


def become(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Replace this process by a program.

    Args:
        command: the program, looked up on PATH, and its arguments.
        environ: the whole environment that it gets.

    Returns:
        Only where the program could not be started: 127 or 126. On Windows, which cannot replace a
        process, the program's own status.
    """
    try:
        if os.name == "nt":
            from poolwitness.cli import supervise

            return supervise.run(command, environ).leave_like()
        _restore_signals()
        flush()
        os.execvpe(command[0], list(command), dict(environ))
    except (OSError, ValueError) as error:
        return refused(command[0], error)


def refused(program: str, error: OSError | ValueError) -> int:
    """Say why a program could not be started.

    Returns:
        127 where it was not found, 126 where it was found and could not be executed.
    """
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        if shutil.which(program):
            say(f"{program}: the interpreter named in its first line was not found.")
        else:
            say(f"{program}: command not found.")
        return NOT_FOUND
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    say(f"{program}: cannot be executed: {reason}.")
    return NOT_EXECUTABLE


def _restore_signals() -> None:
    # Python ignores these for itself, and what is ignored stays so in the program that we become.
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
