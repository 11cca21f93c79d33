"""A child process as a shell's job would be: signals passed on, its end told exactly."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from poolwitness.cli import flush


def _known(*names: str) -> tuple[int, ...]:
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


# The terminal sends these to every process of its foreground group, so the child has them already.
FROM_TERMINAL = _known("SIGINT", "SIGQUIT", "SIGWINCH", "SIGBREAK")
FROM_OTHERS = _known("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
CHILD_ENDED = _known("SIGCHLD")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: ``returncode`` as `subprocess` has it, and when, in seconds since the epoch."""

    pid: int
    returncode: int
    ended_at: float

    @property
    def signal_name(self) -> str | None:
        """The signal that it died of, if it did."""
        if self.returncode >= 0 or os.name == "nt":
            return None
        try:
            return signal.Signals(-self.returncode).name
        except ValueError:
            return f"signal {-self.returncode}"

    def leave_like(self) -> int:
        """Die of the signal that the child died of, or give the status to end with.

        Returns:
            The child's own status; 128 + n where it died of signal n and this process cannot, as process 1.
        """
        if self.signal_name is None:
            return self.returncode
        number = -self.returncode
        try:
            flush()
            _no_core_dump()
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
            os.kill(os.getpid(), number)
        except (OSError, ValueError):
            pass
        return 128 + number


def run(command: Sequence[str], environ: Mapping[str, str], directory: str | None = None) -> Ended:
    """Run a program to its end, in this process's own group, and pass signals on to it.

    Args:
        command: the program, looked up on PATH, and its arguments.
        environ: the whole environment that it gets.
        directory: where it runs; here by default.

    Raises:
        OSError: it could not be started.
    """
    with _signals() as arriving:
        child = subprocess.Popen(list(command), env=dict(environ), cwd=directory, close_fds=False)
        while child.poll() is None:
            for number in arriving(child):
                if not (number in FROM_TERMINAL and _terminal_sends_to_us()):
                    child.send_signal(number)
        return Ended(child.pid, child.returncode, time.time())


@contextmanager
def _signals() -> Iterator[Callable[[subprocess.Popen[bytes]], Iterator[int]]]:
    """Take this process's signals; what is yielded waits for some, or for the child's end, and gives them.

    They come through a pipe, not from handlers around a ``wait()``: one that arrived just before such a wait
    would stay unnoticed until the next. What was sent before the child was there waits in the pipe.
    """
    before: dict[int, Any] = {}
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    wakeup_before = -1
    try:
        if os.name != "nt":  # there it takes sockets only
            wakeup_before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (*FROM_TERMINAL, *FROM_OTHERS, *CHILD_ENDED):
            # What this process was told to ignore (nohup, a shell's background job) the child ignores too.
            if number in CHILD_ENDED or signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, _unmoved)
        yield lambda child: _arrived(read_end, child)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if os.name != "nt":
            signal.set_wakeup_fd(wakeup_before)
        os.close(read_end)
        os.close(write_end)


def _arrived(read_end: int, child: subprocess.Popen[bytes]) -> Iterator[int]:
    if os.name == "nt":
        child.wait()
        return
    yield from (number for number in os.read(read_end, 512) if number not in CHILD_ENDED)


def _unmoved(number: int, frame: FrameType | None) -> None:
    """A handler, because a signal without one does not reach the pipe."""


def _terminal_sends_to_us() -> bool:
    if os.name == "nt":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _no_core_dump() -> None:
    # One core for one crash: the child's own is the one that somebody wants to read.
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, OSError, ValueError):
        pass
