"""A child process as a shell's job would be: signals passed on, its end told exactly."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from poolwitness.cli import flush

# The terminal sends these to every process of its foreground group, so the child has them already.
FROM_TERMINAL = ("SIGINT", "SIGQUIT", "SIGWINCH", "SIGBREAK")
FROM_OTHERS = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


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
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        if child is None:
            early.append(number)
        elif not (signal.Signals(number).name in FROM_TERMINAL and _terminal_sends_to_us()):
            child.send_signal(number)

    before = {}
    for name in FROM_TERMINAL + FROM_OTHERS:
        number = getattr(signal, name, None)
        # What this process was told to ignore (nohup, a shell's background job) the child ignores too.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, pass_on)
    try:
        child = subprocess.Popen(list(command), env=dict(environ), cwd=directory, close_fds=False)
        for number in early:
            child.send_signal(number)
        returncode = child.wait()
        return Ended(child.pid, returncode, time.time())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
