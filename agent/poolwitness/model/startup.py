"""What must be there from the start of every interpreter in which the agent is on: the switch, system calls, descriptor 2.

Later the program may have patched the clock, ``os.write`` or ``select``, or have replaced its stderr.
"""

# No imports beyond these, and no annotations from __future__: that is a module to import.

import os
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

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


def _original(module: str, name: str) -> "Any":
    """A function of a module, or None; where `activate` came after a library that replaced it, the original."""
    eventlet, gevent = sys.modules.get("eventlet.patcher"), sys.modules.get("gevent.monkey")
    freezegun = sys.modules.get("freezegun.api")
    try:
        if eventlet is not None and module == "select":  # of the others it replaces nothing that is needed here
            return getattr(eventlet.original(module), name, None)
        if gevent is not None:
            return gevent.get_original(module, name)
        if freezegun is not None and module == "time":
            return getattr(freezegun, "real_" + name)
    except Exception:  # noqa: BLE001 - another release of that library
        pass
    return getattr(time if module == "time" else select, name, None)


def _now() -> float:
    # time-machine replaces what the function calls, not the function.
    real = getattr(sys.modules.get("time_machine"), "escape_hatch", None)
    if real is not None and real.is_travelling():
        return float(real.time.time())
    return clock.wall()


def _since(moment_mono: float) -> float:
    # libfaketime can set back even the monotonic clock.
    return max(0.0, clock.monotonic() - moment_mono)


class clock:
    """``monotonic()`` and ``now()`` (seconds since the epoch), as the system gives them; ``since()`` is an age.

    In a class: freezegun replaces every attribute of a module that is a function of ``time``.
    """

    monotonic: "Callable[[], float]" = _original("time", "monotonic")
    wall: "Callable[[], float]" = _original("time", "time")
    now = staticmethod(_now)
    since = staticmethod(_since)


class system:
    """``write`` and ``poll`` as the system gives them; ``poll`` is None where there is none (Windows)."""

    # eventlet replaces os.write, and removes select.poll.
    write = sys.modules[os.name].write
    poll = _original("select", "poll")
    POLLOUT = getattr(select, "POLLOUT", 4)


def _identity(fd: int) -> "tuple[int, int] | None":
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


_stderr_at_start = _identity(2)


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


class OpenedFile:
    """An output that was opened for append when psycopg_pool was imported, and its absolute path.

    Args:
        pattern: the path; ``%p`` in it is the pid.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = os.path.abspath(pattern)
        self.fd = open_file(pattern)
        self._identity = _identity(self.fd)

    def is_open(self) -> bool:
        """Whether the descriptor still means this file: a daemon closes all that it has inherited."""
        return self._identity is not None and _identity(self.fd) == self._identity

    def close(self) -> None:
        """Close the descriptor, unless it means another file by now."""
        if self.is_open():
            os.close(self.fd)
        self._identity = None
