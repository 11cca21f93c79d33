"""Run a child process as a shell runs a job: pass signals on to it, and exit as it exited."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from poolwitness.cli.output import flush


def _existing(*names: str) -> tuple[int, ...]:
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


# The terminal sends these to every process of its foreground group, so the child receives them too.
FROM_TERMINAL = _existing("SIGINT", "SIGQUIT", "SIGWINCH", "SIGBREAK")
FROM_OTHERS = _existing("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
CHILD_ENDED = _existing("SIGCHLD")


@dataclass(frozen=True, slots=True)
class ChildExit:
    """How a child ended: ``returncode`` as in `subprocess`, and when, in seconds since the epoch."""

    pid: int
    returncode: int
    ended_at: float

    @property
    def signal_name(self) -> str | None:
        """The signal that killed it, if one did."""
        if self.returncode >= 0 or os.name == "nt":
            return None
        try:
            return signal.Signals(-self.returncode).name
        except ValueError:
            return f"signal {-self.returncode}"

    def exit_like_child(self) -> int:
        """Kill this process with the signal that killed the child, or return the status to exit with.

        That is the child's own, or 128 + n if signal n killed it but cannot kill this process, for example as pid 1.
        """
        if self.signal_name is None:
            return self.returncode
        number = -self.returncode
        try:
            flush()
            _disable_core_dump()
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
            os.kill(os.getpid(), number)
        except (OSError, ValueError):
            pass
        return 128 + number


def run_child(command: Sequence[str], environ: Mapping[str, str], directory: str | None = None) -> ChildExit:
    """Run a program to its end, in this process's process group, and pass signals on to it."""
    with _received_signals() as received:
        child = subprocess.Popen(list(command), env=dict(environ), cwd=directory, close_fds=False)
        while child.poll() is None:
            for number in received(child):
                if not (number in FROM_TERMINAL and _in_foreground_group()):
                    child.send_signal(number)
        return ChildExit(child.pid, child.returncode, time.time())


@contextmanager
def _received_signals() -> Iterator[Callable[[subprocess.Popen[bytes]], Iterator[int]]]:
    """Receive this process's signals; yields a function that waits for signals or the child's end, and yields them.

    They come through a pipe and not from handlers around a ``wait()``: a signal that arrived just before the wait
    would go unnoticed until the next one. The pipe also keeps signals that were sent before the child was started.
    """
    before: dict[int, Any] = {}
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    wakeup_before = -1
    try:
        if os.name != "nt":  # Windows accepts only sockets here
            wakeup_before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (*FROM_TERMINAL, *FROM_OTHERS, *CHILD_ENDED):
            # A signal that this process ignores (nohup, a background job of a shell) is ignored by the child too.
            if number in CHILD_ENDED or signal.getsignal(number) is not signal.SIG_IGN:
                # A handler that does nothing: a signal without a handler is not written to the pipe.
                before[number] = signal.signal(number, lambda *_: None)
        yield lambda child: _wait(read_end, child)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if os.name != "nt":
            signal.set_wakeup_fd(wakeup_before)
        os.close(read_end)
        os.close(write_end)


def _wait(read_end: int, child: subprocess.Popen[bytes]) -> Iterator[int]:
    if os.name == "nt":
        child.wait()
        return
    yield from (number for number in os.read(read_end, 512) if number not in CHILD_ENDED)


def _in_foreground_group() -> bool:
    if os.name == "nt":
        return True
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _disable_core_dump() -> None:
    # One crash leaves one core file: the child's.
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, OSError, ValueError):
        pass
