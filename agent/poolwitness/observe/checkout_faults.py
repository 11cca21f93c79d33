"""Record what is unusual about checkouts: refused requests, nested checkouts, connections returned in a bad state."""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any

from poolwitness.ledger.connections import Holder, TrackedConnection, holder_name, is_same_holder
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observers
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.stacks import RawStack
from poolwitness.ledger.tallies import ExhaustionTally, FaultTally
from poolwitness.model.startup import clock
from poolwitness.observe.call_site import call_site, call_sites, capture_for, holding_site
from poolwitness.observe.closed_use import ClosedUsePatches, found_closed

MOST_FAULTS = 50
# A request that is refused after this much quiet begins a new episode.
QUIET_S = 60.0
# libpq's transaction states, and one of our own beyond them: only the suspicion is unusual.
ACTIVE, INTRANS, INERROR, UNKNOWN = 1, 2, 3, 4
SUSPECTED = 100
_KINDS = {ACTIVE: "broken", INTRANS: "in_transaction", INERROR: "in_transaction", UNKNOWN: "broken"}


class CheckoutFaults:
    """Takes what leaves the hot path of `checkouts`; called after the host's call, in the host's thread.

    Args:
        ledger: where pools are tracked.
        observers: notified of each kind of fault once for each pair of lines.
        closed_use: takes uses of a closed pool.
        trace: capture long stacks.
    """

    def __init__(self, ledger: Ledger, observers: Observers, closed_use: ClosedUsePatches, trace: bool) -> None:
        import psycopg_pool

        self.ledger = ledger
        self.observers = observers
        self.closed_use = closed_use
        self.capture = capture_for(trace)
        self._refusals = (psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests)
        self._closed = psycopg_pool.PoolClosed

    def waited(self, connection: TrackedConnection, since_mono: float) -> None:
        """The pool had no idle connection for this checkout."""
        usage = connection.pool.usage
        waited_s = connection.taken_mono - since_mono
        self.observers.checkout_waited(connection, waited_s)
        if waited_s > usage.longest_wait_s:
            usage.longest_wait_s = waited_s
        in_use = connection.pool.count_taken()
        if in_use > usage.peak:
            usage.peak = in_use

    def request_failed(self, pool: Any, error: BaseException, frame: FrameType | None, since_mono: float) -> None:
        """A request for a connection, or for a filled pool, raised."""
        if isinstance(error, self._refusals):
            tracked = self.ledger.find(pool)
            if tracked is not None:
                waited_s = clock.since(since_mono) if since_mono else 0.0
                self._refused(tracked, error, self.capture(frame), waited_s)
        elif isinstance(error, self._closed):
            self.closed_use.note(pool, frame, waiting=not found_closed(error))

    def _refused(self, pool: TrackedPool, error: BaseException, request: RawStack, waited_s: float) -> None:
        self.ledger.synchronize()
        now_mono = clock.monotonic()
        found = pool.exhaustion
        is_new = not pool.inherited and (found is None or now_mono - found.last_mono > QUIET_S)
        if is_new:
            episode = found.episode + 1 if found is not None else 1
            pool.exhaustion = ExhaustionTally(episode, type(error).__name__, request, waited_s, holder_name(), now_mono)
        elif found is not None:
            found.count += 1
            found.last_mono = now_mono
        self.observers.request_refused(pool, error, is_new)

    def some_gone(self) -> None:
        """Connections were garbage-collected since the last check: report leaked slots now, not at the next sweep."""
        for pool in self.ledger.drain_connections():
            self.ledger.report_change(pool, "connection_lost")

    def nested(self, outer: TrackedConnection, inner: TrackedConnection) -> None:
        """A holder has two: a fault if the function that took the first is still on the stack."""
        taken_from, inner_from = outer.taken_from, inner.taken_from
        # A connection that is gone without being returned is lost, not held.
        if not taken_from or not inner_from or not is_same_holder(outer.holder, inner.holder) or outer.ref() is None:
            return
        holding = holding_site(taken_from)
        activations = _on_stack(holding[0])
        # Taken again by the same line of the same call, in a loop: the first was handed on or kept elsewhere.
        if not activations or (activations == 1 and holding == holding_site(inner_from)):
            return
        held_s = clock.since(outer.taken_mono)
        if self._note("nested", taken_from, inner_from, inner, held_s):
            self.ledger.report_change(inner.pool, "nested")

    def returned(self, connection: TrackedConnection, taken_from: RawStack, status: int, at: RawStack) -> None:
        """A connection was returned, and something about it was unusual: its transaction status, or a suspicion."""
        if connection.suspected:
            connection.suspected = ""
            self.observers.suspicion_cleared(connection)
        if status == SUSPECTED or connection.pool.inherited:
            return
        kind = _KINDS.get(status)
        if kind and self._note(kind, taken_from, at, connection, connection.held_s):
            self.ledger.report_change(connection.pool, kind)

    def _note(
        self, kind: str, taken_from: RawStack, at: RawStack, connection: TrackedConnection, held_s: float
    ) -> bool:
        """Count a fault; whether it is the first at this pair of lines."""
        pool = connection.pool
        lines = (*call_site(taken_from), *call_site(at))
        if kind == "nested" and lines[:2] == lines[2:]:
            # Both through one helper: its callers tell them apart.
            lines = (*call_sites(taken_from), *call_sites(at))
        key = (kind, *(id(part) if isinstance(part, CodeType) else part for part in lines))
        if pool.faults is None:
            pool.faults = {}
        known = pool.faults.get(key)
        if known is not None:
            known.count += 1
            return False
        if len(pool.faults) >= MOST_FAULTS:
            return False
        pool.faults[key] = FaultTally(kind, taken_from, at, _label(connection.holder), held_s)
        return True


def _label(holder: Holder | None) -> str:
    if holder is None:
        return "somebody"
    return f"{'task' if holder.in_task else 'thread'} {holder.name[:60]!r}"


def _on_stack(code: object) -> int:
    """How many calls of a function are running."""
    count = 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        count += frame.f_code is code
        frame = frame.f_back
    return count
