"""Note who takes which connection, and how it comes back.

The hot path of the agent: a dozen dictionary and attribute operations, no lock, no allocation but one tuple. What
is unusual (a connection that comes back in a transaction, a request that is refused) leaves it for `unusual`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from poolwitness.guards import Guard, fail
from poolwitness.ledger import fork as forks
from poolwitness.ledger.connections import TaskHolder, ThreadHolder
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedConnection, TrackedPool
from poolwitness.ledger.stacks import RawStack
from poolwitness.observe import call_site as callers
from poolwitness.observe.call_site import APPLICATION, nearest
from poolwitness.observe.closed_use import found_closed
from poolwitness.observe.crossings import RETURNED, USED, Crossings
from poolwitness.observe.patcher import AnyFunction, Patcher
from poolwitness.observe.pool_wait import FillingWatch
from poolwitness.otel.timings import Timings


class CheckoutListener(Protocol):
    """Who is told of what is unusual; called after the host's own call, in the host's thread."""

    def refused(self, entry: TrackedPool, error: BaseException, request: RawStack, waited_s: float) -> None:
        """PoolTimeout or TooManyRequests is on its way to the application."""

    def pool_closed(self, pool: Any, waiting: bool) -> None:
        """PoolClosed is on its way to the application: at once, or to a request that was waiting."""

    def some_gone(self) -> None:
        """Connections have been garbage-collected since the last look; some of them may have been out."""

    def nested(self, entry: TrackedPool, outer: TrackedConnection, inner: TrackedConnection) -> None:
        """A holder has taken a second connection."""

    def returned(
        self, entry: TrackedPool, slot: TrackedConnection, taken: RawStack, status: int, returned: RawStack
    ) -> None:
        """A connection came back in a transaction, broken, or after it had been suspected."""


class Recorder(Protocol):
    """Who keeps each checkout where a kill leaves it; called on the hot path, and contains what it raises."""

    taken: Callable[[TrackedConnection], None]
    returned: Callable[[TrackedConnection], None]


class CheckoutWatch:
    """The patches of getconn and putconn.

    Args:
        ledger: where checkouts are kept.
        listener: who hears of the unusual.
        crossings: asked where a pool may be used elsewhere than where it was opened.
        part: the containment.
        trace: record up to `MOST_FRAMES` frames instead of two.
        recorder: the black box; None where none is kept.
        timings: what metrics are made of; None where there are none.
    """

    def __init__(
        self,
        ledger: Ledger,
        listener: CheckoutListener,
        crossings: Crossings,
        part: Guard,
        trace: bool,
        recorder: Recorder | None = None,
        timings: Timings | None = None,
    ) -> None:
        self.ledger = ledger
        self.crossings = crossings
        self.timings = timings
        self.taken = recorder.taken if recorder is not None else None
        self.returned = _both(
            recorder.returned if recorder is not None else None, timings.returned if timings is not None else None
        )
        self.listener = listener
        self.part = part
        self.here = threading.local()
        self.trace = trace
        self.capture: Callable[[FrameType | None], RawStack] = callers.capture_for(trace)

    def install(self, patches: Patcher) -> None:
        """Patch both families."""
        import psycopg_pool

        for cls in (psycopg_pool.ConnectionPool, psycopg_pool.AsyncConnectionPool):
            # The wrappers name their parameters, which is quicker than handing on whatever comes.
            _expect(cls.getconn, ("self", "timeout"))
            _expect(cls.putconn, ("self", "conn"))
        self.refusals = (psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests)
        self.closed = psycopg_pool.PoolClosed
        patches.wrap(psycopg_pool.ConnectionPool, "getconn", self._sync_get)
        patches.wrap(psycopg_pool.ConnectionPool, "putconn", self._sync_put)
        patches.wrap(psycopg_pool.AsyncConnectionPool, "getconn", self._async_get)
        patches.wrap(psycopg_pool.AsyncConnectionPool, "putconn", self._async_put)
        FillingWatch(self.crossings, self._failed, self.part).install(patches)

    def _sync_get(self, original: AnyFunction) -> AnyFunction:
        part, slots_get, new_slot = self.part, self.ledger.slots.get, self.ledger.new_slot
        capture, here, noted = self.capture, self.here, self._noted_wait
        getframe, monotonic, nested = sys._getframe, time.monotonic, self.listener.nested
        known, trace = callers.answers.get, self.trace
        gone, some_gone, taken = self.ledger.gone_slots, self.listener.some_gone, self.taken
        home, look_closer = forks.home, self.crossings.look

        # Written out in one piece: each call less is a tenth of what the budget allows.
        def getconn(self_: Any, timeout: float | None = None) -> Any:
            if not home:
                look_closer(self_, USED, getframe().f_back)
            try:
                waited_from = 0.0 if self_._pool else monotonic()
            except Exception:  # noqa: BLE001 - a pool half made, or one that lets nobody look
                waited_from = 0.0
            try:
                conn = original(self_, timeout)
            except Exception as error:
                if part.enabled:
                    with part:
                        self._failed(self_, error, getframe().f_back, waited_from)
                raise
            if not part.enabled:
                return conn
            try:
                slot = slots_get(id(conn))
                if slot is None or slot.ref() is not conn:
                    slot = new_slot(conn, self_)
                    if slot is None:
                        return conn
                try:
                    holder = here.holder
                except AttributeError:
                    holder = here.holder = ThreadHolder()
                try:
                    frame = getframe(1)
                except ValueError:  # called straight from C
                    frame = None
                if frame is None:
                    raw: RawStack = ()
                elif (
                    # Most threads take all their connections in one function of the application's.
                    ((code := frame.f_code) is holder.taker or (not trace and known(id(code)) == APPLICATION))
                    and (caller := frame.f_back) is not None
                    and ((called_by := caller.f_code) is holder.called_by or known(id(called_by)) == APPLICATION)
                ):
                    holder.taker, holder.called_by = code, called_by
                    raw = (code, frame.f_lasti, called_by, caller.f_lasti)
                else:
                    raw = capture(frame)
                outer = holder.last
                slot.holder = holder
                holder.last = slot
                slot.taken_mono = monotonic()
                slot.raw = raw
                if taken is not None:
                    taken(slot)
                if waited_from:
                    noted(slot, waited_from)
                if outer is not slot and outer is not None and outer.raw is not None and outer.entry is slot.entry:
                    nested(slot.entry, outer, slot)
                if gone:
                    some_gone()
            except Exception as error:  # noqa: BLE001 - the hot path: Guard inlined
                fail(part, type(error), error.__traceback__)
            return conn

        return getconn

    def _async_get(self, original: AnyFunction) -> AnyFunction:
        import asyncio

        part, slots, new_slot = self.part, self.ledger.slots, self.ledger.new_slot
        capture, noted, current_task = self.capture, self._noted_wait, asyncio.current_task
        getframe, monotonic, nested = sys._getframe, time.monotonic, self.listener.nested
        home, look_closer = forks.home, self.crossings.look
        pools_get, running_loop = self.ledger.pools.get, asyncio._get_running_loop

        def note(pool: Any, conn: Any, frame: FrameType | None, waited_from: float) -> None:
            try:
                slot = slots.get(id(conn))
                if slot is None or slot.ref() is not conn:
                    slot = new_slot(conn, pool)
                    if slot is None:
                        return
                task = current_task()
                slot.holder = TaskHolder(task) if task is not None else None
                slot.taken_mono = monotonic()
                slot.raw = capture(frame)
                if self.taken is not None:
                    self.taken(slot)
                if waited_from:
                    noted(slot, waited_from)
                if len(slot.entry.slots) > 1:
                    for outer in slot.entry.taken():
                        held_by = outer.holder
                        if isinstance(held_by, TaskHolder) and outer is not slot and held_by.task() is task:
                            nested(slot.entry, outer, slot)
                            break
                if self.ledger.gone_slots:
                    self.listener.some_gone()
            except Exception as error:  # noqa: BLE001 - the hot path: Guard inlined
                fail(part, type(error), error.__traceback__)

        async def getconn(self_: Any, timeout: float | None = None) -> Any:
            entry = pools_get(id(self_))
            if not home or (entry is not None and entry.loop is not None and entry.loop() is not running_loop()):
                look_closer(self_, USED, getframe().f_back)
            try:
                waited_from = 0.0 if self_._pool else monotonic()
            except Exception:  # noqa: BLE001 - a pool half made, or one that lets nobody look
                waited_from = 0.0
            try:
                conn = await original(self_, timeout)
            except Exception as error:
                if part.enabled:
                    with part:
                        self._failed(self_, error, getframe().f_back, waited_from)
                raise
            if part.enabled:
                note(self_, conn, getframe().f_back, waited_from)
            return conn

        return getconn

    def _sync_put(self, original: AnyFunction) -> AnyFunction:
        part, slots_get, monotonic, returned = self.part, self.ledger.slots.get, time.monotonic, self.returned
        home, look_closer = forks.home, self.crossings.look

        def putconn(self_: Any, conn: Any) -> Any:
            if not home:
                look_closer(self_, RETURNED, sys._getframe().f_back)
            slot = slots_get(id(conn))
            if slot is None or slot.raw is None:
                return original(self_, conn)
            # Before the call: the moment it is back, another thread may take it and write into the slot.
            raw = slot.raw
            unusual = 0
            try:
                entry = slot.entry
                held_s = monotonic() - slot.taken_mono
                if held_s > entry.longest_held_s:
                    entry.longest_held_s = held_s
                    entry.longest_held_by = raw
                slot.raw = None
                if returned is not None:
                    returned(slot)
                if (status := conn.pgconn.transaction_status) or slot.suspected:
                    slot.held_s = held_s
                    unusual = int(status) or SUSPECTED
            except Exception as error:  # noqa: BLE001 - the hot path: Guard inlined
                fail(part, type(error), error.__traceback__)
            try:
                result = original(self_, conn)
            except BaseException:
                self._came_back(slot, conn, raw)
                raise
            if unusual:
                with part:
                    self.listener.returned(entry, slot, raw, unusual, nearest(sys._getframe().f_back))
            return result

        return putconn

    def _async_put(self, original: AnyFunction) -> AnyFunction:
        import asyncio

        slots, leave = self.ledger.slots, self._leave
        home, look_closer = forks.home, self.crossings.look
        pools_get, running_loop = self.ledger.pools.get, asyncio._get_running_loop

        async def putconn(self_: Any, conn: Any) -> Any:
            entry = pools_get(id(self_))
            if not home or (entry is not None and entry.loop is not None and entry.loop() is not running_loop()):
                look_closer(self_, RETURNED, sys._getframe().f_back)
            slot = slots.get(id(conn))
            if slot is None or slot.raw is None or slot.ref() is not conn:
                return await original(self_, conn)
            raw = slot.raw
            unusual = leave(slot, conn)
            try:
                result = await original(self_, conn)
            except BaseException:
                self._came_back(slot, conn, raw)
                raise
            if unusual:
                with self.part:
                    self.listener.returned(slot.entry, slot, raw, unusual, nearest(sys._getframe().f_back))
            return result

        return putconn

    def _leave(self, slot: TrackedConnection, conn: Any) -> int:
        """Take a connection off the ledger: 0, or the transaction state that makes its return unusual."""
        try:
            entry = slot.entry
            held_s = time.monotonic() - slot.taken_mono
            if held_s > entry.longest_held_s:
                entry.longest_held_s = held_s
                entry.longest_held_by = slot.raw
            slot.raw = None
            if self.returned is not None:
                self.returned(slot)
            status: int = conn.pgconn.transaction_status
            if status or slot.suspected:
                slot.held_s = held_s
                return int(status) or SUSPECTED
        except Exception as error:  # noqa: BLE001 - the hot path: Guard inlined
            fail(self.part, type(error), error.__traceback__)
        return 0

    def _came_back(self, slot: TrackedConnection, conn: Any, raw: RawStack) -> None:
        """The pool refused the connection: it is still out."""
        with self.part:
            if getattr(conn, "_pool", None) is not None and slot.raw is None:
                slot.raw = raw
                if self.taken is not None:
                    self.taken(slot)

    def _noted_wait(self, slot: TrackedConnection, waited_from: float) -> None:
        """The pool had nothing ready: how long that took, and how many were out."""
        entry = slot.entry
        waited_s = slot.taken_mono - waited_from
        if self.timings is not None:
            self.timings.waited(slot, waited_s)
        if waited_s > entry.longest_wait_s:
            entry.longest_wait_s = waited_s
        out = entry.count_out()
        if out > entry.peak:
            entry.peak = out

    def _failed(self, pool: Any, error: Exception, frame: FrameType | None, waited_from: float) -> None:
        if isinstance(error, self.refusals):
            self._refused(pool, error, self.capture(frame), waited_from)
        elif isinstance(error, self.closed):
            self.listener.pool_closed(pool, not found_closed(error))

    def _refused(self, pool: Any, error: BaseException, request: RawStack, waited_from: float) -> None:
        entry = self.ledger.find(pool)
        if entry is not None:
            if self.timings is not None:
                self.timings.refused(entry, error)
            self.listener.refused(entry, error, request, time.monotonic() - waited_from if waited_from else 0.0)


def _both(
    first: Callable[[TrackedConnection], None] | None, second: Callable[[TrackedConnection], None] | None
) -> Callable[[TrackedConnection], None] | None:
    if first is None or second is None:
        return first or second

    def both(slot: TrackedConnection) -> None:
        first(slot)
        second(slot)

    return both


def _expect(function: Any, names: tuple[str, ...]) -> None:
    code = function.__code__
    found = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if found != names:
        raise TypeError(f"{function.__qualname__} takes {found}: this psycopg_pool is newer than this agent")


SUSPECTED = 100  # beyond libpq's transaction states, which end at 4
