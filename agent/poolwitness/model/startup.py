"""What must be there from the start of every interpreter in which the agent is on: the switch, the clock, descriptor 2.

Later the program may have patched the clock, or have put another file in the place of its stderr.
"""

# No imports beyond these, and no annotations from __future__: that is a module to import.

import os
import time

_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"", "0", "false", "no", "off"})

# The name of a process's file in the directory of `poolwitness run --check`.
CHECK_FILE = "%p.jsonl"


def is_on(value: str) -> "bool | None":
    """Whether a value of a variable switches something on; None if it is neither yes nor no."""
    word = value.strip().lower()
    if word in _ON:
        return True
    return False if word in _OFF else None


class clock:
    """``monotonic()`` and ``now()`` (seconds since the epoch), as the system gives them.

    In a class: freezegun replaces every attribute of a module that is a function of ``time``.
    """

    monotonic = time.monotonic
    now = time.time


def _identity_of_stderr() -> "tuple[int, int] | None":
    try:
        found = os.fstat(2)
    except OSError:
        return None
    return found.st_dev, found.st_ino


_stderr_at_start = _identity_of_stderr()


def stderr_at_start() -> "tuple[int, int] | None":
    """The device and inode of descriptor 2 when the interpreter started; None if it was closed."""
    return _stderr_at_start


def open_file(pattern: str) -> int:
    """Open a file for append and give its descriptor; ``%p`` in the path is the pid.

    Raises:
        OSError: it cannot be opened.
    """
    # O_NONBLOCK: opening a named pipe that has no reader would wait forever.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.open(pattern.replace("%p", str(os.getpid())), flags, 0o640)
