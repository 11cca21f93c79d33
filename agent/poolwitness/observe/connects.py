"""Record how long a pool takes to connect, and the errors that it retries in silence."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import FrameType
from typing import Any

from poolwitness.guards import is_from_signal_handler
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observers
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.tallies import ConnectErrorTally, ConnectTally
from poolwitness.model.startup import clock

MOST_ERRORS = 8


class ConnectPatches:
    """The lines that run around ``_connect``.

    Args:
        ledger: where the pools are tracked.
        observers: hear of each attempt, in the worker that made it.
        describe_error: gives an exception's text without secrets.
    """

    def __init__(
        self, ledger: Ledger, observers: Observers, describe_error: Callable[[Any, BaseException], str]
    ) -> None:
        self.ledger = ledger
        self.observers = observers
        self.describe_error = describe_error

    def connecting(self, pool: Any, _frame: FrameType | None, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> float:
        """``_connect`` was called; gives the time."""
        found = self._tally(pool)
        if found is not None:
            found[1].in_flight += 1
        return clock.monotonic()

    def connected(self, pool: Any, _frame: FrameType | None, started_mono: float | None, _conn: Any) -> None:
        """``_connect`` returned."""
        found = self._tally(pool)
        if found is None or started_mono is None:
            return
        tracked, tally = found
        seconds = clock.monotonic() - started_mono
        tally.in_flight -= 1
        tally.attempts += 1
        tally.successes += 1
        tally.failing = False
        tally.seconds += seconds
        tally.add_counted(pool._stats["connections_ms"])
        self.observers.connection_made(tracked, seconds)

    def connect_failed(self, pool: Any, _frame: FrameType | None, _token: Any, error: BaseException) -> None:
        """``_connect`` raised."""
        found = self._tally(pool)
        if found is None:
            return
        tracked, tally = found
        tally.in_flight -= 1
        # A cancellation, a callback's sys.exit(), or a job's time limit: not the server's fault.
        if not isinstance(error, Exception) or is_from_signal_handler(error):
            return
        tally.attempts += 1
        tally.failures += 1
        tally.failing = True
        text = self.describe_error(pool, error)
        key = (type(error).__name__, str(getattr(error, "sqlstate", None) or ""), _gist(text))
        now = clock.now()
        known = tally.errors.get(key)
        if known is not None:
            known.count += 1
            known.last_at = now
        elif len(tally.errors) < MOST_ERRORS:
            tally.errors[key] = ConnectErrorTally(key[0], key[1], text, now)
        self.ledger.synchronize()
        self.observers.connection_failed(tracked, is_new=known is None)

    def discard(self, conn: Any) -> None:
        """Close a connection that cannot reach the pool any more, as the pool does when it cannot use one."""
        conn._pool = None
        conn.pgconn.finish()

    def _tally(self, pool: Any) -> tuple[TrackedPool, ConnectTally] | None:
        tracked = self.ledger.find(pool)
        if tracked is None:
            return None
        if tracked.connects is None:
            tracked.connects = ConnectTally()
        return tracked, tracked.connects


def _gist(text: str) -> str:
    """What tells one error from another: libpq gives no SQLSTATE for a connection that it never had."""
    return re.sub(r"[\d.:]+", "#", text.rpartition("failed: ")[2])[:80]
