"""Replace this process with another program, with a shell's exit statuses if that fails."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping, Sequence

from poolwitness.cli.output import flush, print_message

NOT_FOUND = 127
NOT_EXECUTABLE = 126


def replace_process(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Replace this process with a program, which is looked up on PATH.

    Returns only if the program could not be started: 127 or 126. Windows cannot replace a process; there it is the
    program's own status.
    """
    try:
        if os.name == "nt":
            from poolwitness.cli.run.supervisor import run_child

            return run_child(command, environ).exit_like_child()
        # Python ignores these signals, and a program keeps ignoring what was ignored when it was started.
        for name in ("SIGPIPE", "SIGXFSZ"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
        flush()
        os.execvpe(command[0], list(command), dict(environ))
    except (OSError, ValueError) as error:
        return report_start_failure(command[0], error)


def report_start_failure(program: str, error: OSError | ValueError) -> int:
    """Print why a program could not be started; 127 if it was not found, 126 if it could not be executed."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        if shutil.which(program):
            print_message(f"{program}: the interpreter named in its first line was not found.")
        else:
            print_message(f"{program}: command not found.")
        return NOT_FOUND
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    print_message(f"{program}: cannot be executed: {reason}.")
    return NOT_EXECUTABLE
