"""Write once to a descriptor, without ever waiting for its reader."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable

from poolwitness.guards import let_pass
from poolwitness.model.startup import clock, system

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def identity_of(fd: int) -> tuple[int, int] | None:
    """The device and inode behind a descriptor; None where it is closed."""
    try:
        found = os.fstat(fd)
    except OSError as error:
        let_pass(error)
        return None
    return found.st_dev, found.st_ino


def is_regular(fd: int) -> bool:
    """Whether a descriptor is a file, which takes everything at once."""
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError as error:
        let_pass(error)
        return False


def takes_lines(fd: int) -> bool:
    """Whether lines can be written to a descriptor without damage.

    True for a pipe, a terminal or another character device, or a file opened for append, if it is open for writing.
    """
    try:
        mode = os.fstat(fd).st_mode
        if fcntl is None:
            return not stat.S_ISREG(mode)
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    except OSError as error:
        let_pass(error)
        return False
    if flags & os.O_ACCMODE == os.O_RDONLY:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or (stat.S_ISREG(mode) and bool(flags & os.O_APPEND))


def write_patiently(fd: int, data: bytes, patience_s: float) -> int:
    """Write at most 4,096 bytes once, whole or not at all, when there is room; 0 if no reader makes room in time.

    Raises:
        OSError: it cannot be written to.
    """
    if system.poll is None or is_regular(fd):
        return int(system.write(fd, data))
    deadline_mono = clock.monotonic() + patience_s
    poll = system.poll()
    poll.register(fd, system.POLLOUT)
    while True:
        events = poll.poll(max(0.0, deadline_mono - clock.monotonic()) * 1000)
        # With an error beside it POLLOUT means that there is no reader: a write would raise SIGPIPE.
        if not events or events[0][1] != system.POLLOUT:
            return 0
        try:
            return write_at_once(fd, data)
        except BlockingIOError as error:
            let_pass(error)
            if clock.monotonic() >= deadline_mono:
                return 0


def _writer() -> Callable[[int, bytes], int]:
    # What it needs is bound: it is called when the interpreter is ending, too.
    write: Callable[[int, bytes], int] = system.write
    if sys.platform != "linux" or not hasattr(os, "RWF_NOWAIT"):
        return write
    pwritev, nowait, blocked, failures = os.pwritev, os.RWF_NOWAIT, BlockingIOError, (OSError, NotImplementedError)

    def write_at_once(fd: int, data: bytes) -> int:
        try:
            return pwritev(fd, [data], -1, nowait)
        except blocked:
            raise
        except failures as error:  # pipes and sockets know of it since Linux 6.4; a sandbox may not
            traceback = error.__traceback__
            if traceback is not None and traceback.tb_next is not None:  # a signal handler's: `let_pass` may be gone
                raise
            return write(fd, data)

    return write_at_once


# One write to a pipe or a socket. Another process may have taken the room since the poll, and a plain write would
# wait for the reader: this raises BlockingIOError.
write_at_once = _writer()
