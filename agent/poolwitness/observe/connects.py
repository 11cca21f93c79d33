"""Record how long a pool takes to connect, and the errors that it retries in silence."""

from __future__ import annotations

import re
from types import FrameType
from typing import Any

from poolwitness.guards import is_from_signal_handler
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observers
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.stacks import raised_at
from poolwitness.ledger.tallies import ConnectErrorTally, ConnectTally
from poolwitness.model.code_owner import code_owner
from poolwitness.model.server_errors import recognise
from poolwitness.model.startup import clock

MOST_ERRORS = 8


class ConnectPatches:
    """The lines that run around ``_connect``.

    Args:
        ledger: where the pools are tracked.
        observers: notified of each attempt, in the worker that made it.
    """

    def __init__(self, ledger: Ledger, observers: Observers) -> None:
        self.ledger = ledger
        self.observers = observers

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
        seconds = clock.since(started_mono)
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
        sqlstate = _sqlstate(error)
        server_error = recognise(str(error), sqlstate) if _is_from_psycopg(error) else ""
        key = (type(error).__name__, sqlstate, server_error, None if server_error else raised_at(error))
        now = clock.now()
        known = tally.errors.get(key)
        if known is not None:
            known.count += 1
            known.last_at = now
        elif len(tally.errors) < MOST_ERRORS:
            tally.errors[key] = ConnectErrorTally(*key, now)
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


def _sqlstate(error: Exception) -> str:
    from psycopg import Error

    found = error.sqlstate if isinstance(error, Error) else None
    return found if type(found) is str and re.fullmatch("[0-9A-Z]{5}", found) else ""


def _is_from_psycopg(error: Exception) -> bool:
    """Whether psycopg's own ``connect`` raised it, called by the pool or by the ``connect`` of a class of the program.

    Otherwise the program's own code did: a callback, a callable conninfo, its connection class, or their statements.
    """
    calls: list[tuple[str, str]] = []  # below the pool's _connect, outermost first
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        owner = code_owner(code.co_filename)
        if owner == "psycopg" and code.co_name == "_connect":
            calls.clear()
        elif owner not in ("agent", "stdlib"):
            calls.append((owner, code.co_name))
        traceback = traceback.tb_next
    if not calls or calls[0][1] != "connect":
        return False
    entered = ""  # the function through which psycopg was entered last
    for owner, name in reversed(calls):
        if owner != "psycopg":
            break
        entered = name
    return entered == "connect"
