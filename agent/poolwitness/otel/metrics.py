"""The pools as metrics under OpenTelemetry's names (semantic conventions 1.44), in the application's meter provider."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from poolwitness._version import __version__

POOL_NAME = "db.client.connection.pool.name"
STATE = "db.client.connection.state"
# From the conventions for database operations; the SDK's default is for milliseconds.
BOUNDARIES_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


class PoolNow(NamedTuple):
    """The counts of one pool."""

    name: str
    idle: int
    used: int
    most: int | None
    waiting: int


class PoolMetrics:
    """The instruments, created once in the application's provider; it calls *pools*, which must not raise."""

    def __init__(self, provider: Any, pools: Callable[[], Iterable[PoolNow]]) -> None:
        self.pools = pools
        meter = provider.get_meter("poolwitness", __version__)
        observe = meter.create_observable_up_down_counter
        observe(
            "db.client.connection.count",
            [self._counts],
            "{connection}",
            "The number of connections that are currently in state described by the `state` attribute.",
        )
        observe(
            "db.client.connection.max", [self._most], "{connection}", "The maximum number of open connections allowed."
        )
        observe(
            "db.client.connection.pending_requests",
            [self._waiting],
            "{request}",
            "The number of current pending requests for an open connection.",
        )
        self._timeouts = meter.create_counter(
            "db.client.connection.timeouts",
            "{timeout}",
            "The number of connection timeouts that have occurred trying to obtain a connection from the pool.",
        )
        self._seconds = {
            kind: meter.create_histogram(
                f"db.client.connection.{kind}_time", "s", what, explicit_bucket_boundaries_advisory=BOUNDARIES_S
            )
            for kind, what in (
                ("create", "The time it took to create a new connection."),
                ("wait", "The time it took to obtain an open connection from the pool."),
                ("use", "The time between borrowing a connection and returning it to the pool."),
            )
        }

    def record(self, kind: str, pool: str, seconds: float) -> None:
        """One measurement: ``create``, ``wait`` or ``use`` with its seconds, or a ``timeout``."""
        if kind == "timeout":
            self._timeouts.add(1, {POOL_NAME: pool})
        else:
            self._seconds[kind].record(max(0.0, seconds), {POOL_NAME: pool})

    def _counts(self, _options: Any) -> list[Any]:
        return _observed(
            ((pool.name, state), count)
            for pool in self.pools()
            for state, count in (("idle", pool.idle), ("used", pool.used))
        )

    def _most(self, _options: Any) -> list[Any]:
        return _observed(((pool.name, ""), pool.most) for pool in self.pools() if pool.most is not None)

    def _waiting(self, _options: Any) -> list[Any]:
        return _observed(((pool.name, ""), pool.waiting) for pool in self.pools())


def _observed(counts: Iterable[tuple[tuple[str, str], int]]) -> list[Any]:
    # Pools with the same name are one series.
    sums: dict[tuple[str, str], int] = {}
    for key, count in counts:
        sums[key] = sums.get(key, 0) + count
    observation = sys.modules["opentelemetry.metrics"].Observation
    return [
        observation(count, {POOL_NAME: name, STATE: state} if state else {POOL_NAME: name})
        for (name, state), count in sums.items()
    ]
