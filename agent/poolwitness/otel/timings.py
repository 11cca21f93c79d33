"""How long each connection was waited for, used and made: for metrics, and only where those are asked for.

The hot path appends to a deque; whoever keeps the metrics empties it from a thread that can afford their locks.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from poolwitness.ledger.pools import TrackedConnection, TrackedPool

MOST_KEPT = 50_000

Timing = tuple[str, TrackedPool, float]


class Timings:
    """What was measured and not yet taken; the oldest goes where nobody takes it in time."""

    def __init__(self) -> None:
        self.kept: deque[Timing] = deque(maxlen=MOST_KEPT)
        self._waits: dict[int, float] = {}

    def forget(self) -> None:
        """Start afresh, as a forked child does."""
        self.kept.clear()
        self._waits.clear()

    def waited(self, slot: TrackedConnection, seconds: float) -> None:
        """The pool had nothing ready for this checkout."""
        self._waits[slot.id] = seconds

    def returned(self, slot: TrackedConnection) -> None:
        """A connection comes back."""
        self.kept.append(("wait", slot.entry, self._waits.pop(slot.id, 0.0) if self._waits else 0.0))
        self.kept.append(("use", slot.entry, time.monotonic() - slot.taken_mono))

    def refused(self, entry: TrackedPool, error: Any) -> None:
        """A request got no connection; a full queue is no timeout."""
        if type(error).__name__ == "PoolTimeout":
            self.kept.append(("timeout", entry, 1.0))

    def connected(self, entry: TrackedPool, seconds: float) -> None:
        """A connection was made and configured."""
        self.kept.append(("create", entry, seconds))

    def take(self) -> list[Timing]:
        """All that has been measured since the last time."""
        taken = []
        for _ in range(len(self.kept)):
            try:
                taken.append(self.kept.popleft())
            except IndexError:  # another thread was quicker
                break
        return taken
