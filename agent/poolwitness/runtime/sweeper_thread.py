"""The daemon thread that sweeps periodically: started with the first sync pool, ended before the interpreter ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from poolwitness.guards import Guard
from poolwitness.model.startup import clock

NAME = "poolwitness-sweeper"
LONGEST_WAIT_S = 3600.0


class WakeableWait(Protocol):
    """What the thread waits at between two sweeps: it may have something else to do meanwhile."""

    def wait(self, timeout_s: float, stop: threading.Event) -> None:
        """Return when the time is up, after other work was done, when woken or when stopped."""

    def wake(self) -> None:
        """Make ``wait`` return."""

    def leave(self) -> None:
        """The thread ends and waits no more."""


class SweeperThread:
    """Calls *sweep* every *interval_s* seconds until told to stop.

    Args:
        interval_s: seconds between two sweeps; infinity for none.
        sweep: called in the thread; contains what it raises; False ends the thread.
        waiting: what to wait at.
    """

    def __init__(self, interval_s: float, sweep: Callable[[], bool], waiting: WakeableWait) -> None:
        self.interval_s = interval_s
        self.sweep = sweep
        self.waiting = waiting
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs; False in a forked child, which has no thread but the one that forked."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread unless it runs.

        Raises:
            RuntimeError: no thread can be started.
        """
        if not self.alive:
            stop = self._stop = threading.Event()

            def run() -> None:
                # threading.excepthook is the program's.
                with Guard(NAME):
                    self._run(stop)

            self._thread = threading.Thread(target=run, name=NAME, daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End the thread and wait for it, since a daemon thread that outlives atexit is frozen where it is."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            self.waiting.wake()
            thread.join(timeout_s)

    def _run(self, stop: threading.Event) -> None:
        try:
            due_mono = clock.monotonic() + self.interval_s
            while not stop.is_set():
                self.waiting.wait(min(max(0.0, due_mono - clock.monotonic()), LONGEST_WAIT_S), stop)
                if stop.is_set():
                    return
                if clock.monotonic() >= due_mono:
                    if not self.sweep():
                        return
                    due_mono = clock.monotonic() + self.interval_s
        finally:
            self.waiting.leave()
