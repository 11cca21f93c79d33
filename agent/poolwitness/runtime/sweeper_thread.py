"""The periodic look: one daemon thread, born with the first sync pool, gone before the interpreter is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from poolwitness.guards import Guard, fail

NAME = "poolwitness-sweeper"
LONGEST_WAIT_S = 3600.0


class Bell(Protocol):
    """What the thread waits at between two looks: somebody may ask meanwhile."""

    def wait(self, timeout_s: float, stop: threading.Event) -> None:
        """Wait and answer who asks; returns when the time is up, after an answer, when rung or when stopped."""

    def ring(self) -> None:
        """Make ``wait`` return."""

    def leave(self) -> None:
        """Nobody waits any more."""


class Sweeper:
    """Calls *look* every *interval_s* seconds until told to stop.

    Args:
        interval_s: seconds between two looks; infinity for none.
        look: called in the sweeper's thread; it contains what it raises, and says False to end the sweeping.
        bell: what to wait at; None to wait only.
    """

    def __init__(self, interval_s: float, look: Callable[[], bool], bell: Bell | None = None) -> None:
        self.interval_s = interval_s
        self.look = look
        self.bell = bell
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread is there; False in a forked child, which has no thread but the forking one."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread, if it is not there; one that has ended is followed by another."""
        if not self.alive:
            stop = self._stop = threading.Event()

            def run() -> None:
                try:
                    self._run(stop)
                except Exception as error:  # noqa: BLE001 - threading.excepthook is the program's
                    fail(Guard(NAME), type(error), error.__traceback__)

            self._thread = threading.Thread(target=run, name=NAME, daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End the thread and wait for it, since a daemon thread that outlives atexit is frozen where it stands."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            if self.bell is not None:
                self.bell.ring()
            thread.join(timeout_s)

    def _run(self, stop: threading.Event) -> None:
        try:
            due_mono = time.monotonic() + self.interval_s
            while not stop.is_set():
                self._wait(stop, min(max(0.0, due_mono - time.monotonic()), LONGEST_WAIT_S))
                if stop.is_set():
                    return
                if time.monotonic() >= due_mono:
                    if not self.look():
                        return
                    due_mono = time.monotonic() + self.interval_s
        finally:
            if self.bell is not None:
                self.bell.leave()

    def _wait(self, stop: threading.Event, timeout_s: float) -> None:
        if self.bell is not None:
            self.bell.wait(timeout_s, stop)
        else:
            stop.wait(timeout_s)
