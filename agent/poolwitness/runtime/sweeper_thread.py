"""The daemon thread that sweeps periodically: started with the first sync pool, ended before the interpreter ends."""

from __future__ import annotations

import threading
import time
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
    """Calls *sweep* every *interval_s* seconds until stopped.

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
        """Whether the thread runs, or is about to; False in a forked child, which has only the thread that forked."""
        thread = self._thread
        return thread is not None and (thread.is_alive() or not thread._started.is_set())  # type: ignore[attr-defined]

    def start(self) -> None:
        """Start the thread unless it runs; does not wait until it does.

        Raises:
            RuntimeError: no thread can be started.
        """
        if not self.alive:
            stop = self._stop = threading.Event()

            def run() -> None:
                # threading.excepthook is the program's.
                with Guard(NAME):
                    self._run(stop)

            thread = threading.Thread(target=run, name=NAME, daemon=True)
            # start() waits until the thread runs, which releases the GIL: see `Observer.pool_opened`.
            try:
                thread._started.wait = _do_not_wait  # type: ignore[attr-defined]
            except AttributeError:  # gevent's has no room for it, and no GIL
                pass
            # Known before it is started: gevent switches to another greenlet there, which may open a pool.
            self._thread = thread
            try:
                thread.start()
            except BaseException:
                self._thread = None
                raise

    def stop(self, timeout_s: float = 1.0) -> None:
        """End the thread and wait for it, since a daemon thread that outlives atexit is frozen where it is."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread.ident != threading.get_ident() and self.alive:
            self.waiting.wake()
            deadline_mono = clock.monotonic() + timeout_s
            while not thread.is_alive() and self.alive and clock.monotonic() < deadline_mono:
                time.sleep(0.001)  # it is about to run, and a thread that does not run yet cannot be joined
            if thread.is_alive():
                thread.join(max(0.0, deadline_mono - clock.monotonic()))

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


def _do_not_wait(timeout: float | None = None) -> bool:
    return True
