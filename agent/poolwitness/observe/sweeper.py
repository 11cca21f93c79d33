"""The periodic look: one daemon thread, born with the first sync pool, gone before the interpreter is."""

from __future__ import annotations

import threading
from collections.abc import Callable

NAME = "poolwitness-sweeper"


class Sweeper:
    """Calls *look* every *interval_s* seconds until told to stop.

    Args:
        interval_s: seconds between two looks.
        look: called in the sweeper's thread; it contains what it raises, and says False to end the sweeping.
    """

    def __init__(self, interval_s: float, look: Callable[[], bool]) -> None:
        self.interval_s = interval_s
        self.look = look
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread is there; False in a forked child, which has no thread but the forking one."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread, if it is not there yet."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End the thread and wait for it, since a daemon thread that outlives atexit is frozen where it stands."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.wait(self.interval_s):
            if not self.look():
                return
