"""The observer that records how long connections were waited for, used and made, for OpenTelemetry's metrics.

The hot path appends to a deque; `session` empties it where the locks of a metrics library do no harm.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from poolwitness.guards import Guard, let_pass
from poolwitness.ledger.connections import TrackedConnection
from poolwitness.ledger.observers import Observer
from poolwitness.ledger.pools import TrackedPool
from poolwitness.model.startup import clock

MOST_KEPT = 50_000


class Timing(NamedTuple):
    """One measurement: ``wait``, ``use`` or ``create`` with its seconds, or a ``timeout``."""

    kind: str
    pool: TrackedPool
    seconds: float


class Timings(Observer):
    """What was measured and not yet taken; beyond `MOST_KEPT` the oldest is dropped."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._kept: deque[Timing] = deque(maxlen=MOST_KEPT)
        self._waits: dict[int, float] = {}

    def forked(self) -> None:
        self._kept.clear()
        self._waits.clear()

    def checkout_waited(self, connection: TrackedConnection, seconds: float) -> None:
        self._waits[connection.id] = seconds

    def checkout_returned(self, connection: TrackedConnection) -> None:
        waited_s = self._waits.pop(connection.id, 0.0) if self._waits else 0.0
        self._kept.append(Timing("wait", connection.pool, waited_s))
        self._kept.append(Timing("use", connection.pool, clock.since(connection.taken_mono)))

    def request_refused(self, pool: TrackedPool, error: BaseException, is_new: bool) -> None:
        if type(error).__name__ == "PoolTimeout":  # a full queue is no timeout
            self._kept.append(Timing("timeout", pool, 1.0))

    def connection_made(self, pool: TrackedPool, seconds: float) -> None:
        self._kept.append(Timing("create", pool, seconds))

    def take(self) -> list[Timing]:
        """What was measured since the last call."""
        taken = []
        for _ in range(len(self._kept)):
            try:
                taken.append(self._kept.popleft())
            except IndexError as error:  # another thread was faster
                let_pass(error)
                break
        return taken
