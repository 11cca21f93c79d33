"""Note who takes which connection, and how it comes back.

The hot path of the agent: a dozen dictionary and attribute operations, no lock, no allocation but one tuple. What
is unusual (a connection that comes back in a transaction, a request that is refused) leaves it for `unusual`.
"""

from __future__ import annotations

import sys
import threading
import time
from _thread import get_ident
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Protocol

from poolwitness.ledger import Ledger, PoolEntry, Slot
from poolwitness.observe.patches import AnyFunction, Patches
from poolwitness.safety import Part, fail
from poolwitness.stacks import RawStack, kind_of

# How far to look for the application's frame: past SQLAlchemy or Django, not to the end of a web framework.
DEEPEST = 30
CALLERS = 2

_application: dict[int, bool] = {}
_kept: list[CodeType] = []


class CheckoutListener(Protocol):
    """Who is told of what is unusual; called after the host's own call, in the host's thread."""

    def refused(self, entry: PoolEntry, error: BaseException, request: RawStack, waited_s: float) -> None:
        """PoolTimeout or TooManyRequests is on its way to the application."""

    def closed_while_waiting(self, pool: Any) -> None:
        """PoolClosed came to a request that was waiting."""

    def nested(self, entry: PoolEntry, outer: Slot, inner: Slot) -> None:
        """A holder has taken a second connection."""

    def returned(self, entry: PoolEntry, slot: Slot, taken: RawStack, status: int, returned: RawStack) -> None:
        """A connection came back in a transaction, broken, or after it had been suspected."""


def is_application(code: CodeType) -> bool:
    """Whether a code object is the application's; asked once for each, by its id, since hashing one is slow."""
    known = _application.get(id(code))
    if known is None:
        _kept.append(code)
        known = _application[id(code)] = kind_of(code.co_filename) == "application"
    return known


def nearest(frame: FrameType | None) -> RawStack:
    """The application's nearest frame and its callers; without one, the nearest that is not ours or psycopg's."""
    application = _application
    first = frame
    for _ in range(DEEPEST):
        if frame is None:
            break
        code = frame.f_code
        known = application.get(id(code))
        if known or (known is None and is_application(code)):
            caller = frame.f_back
            if caller is None:
                return (code, frame.f_lasti)
            outer = caller.f_back
            if outer is None:
                return (code, frame.f_lasti, caller.f_code, caller.f_lasti)
            return (code, frame.f_lasti, caller.f_code, caller.f_lasti, outer.f_code, outer.f_lasti)
        frame = frame.f_back
    return _few(first)


def _few(frame: FrameType | None) -> RawStack:
    raw: list[CodeType | int] = []
    for _ in range(DEEPEST):
        if frame is None:
            break
        raw += (frame.f_code, frame.f_lasti)
        frame = frame.f_back
    return tuple(raw)


def whole(frame: FrameType | None) -> RawStack:
    """Every frame, for the level ``trace``."""
    raw: list[CodeType | int] = []
    append = raw.append
    while frame is not None:
        append(frame.f_code)
        append(frame.f_lasti)
        frame = frame.f_back
    return tuple(raw)


class CheckoutWatch:
    """The patches of getconn and putconn.

    Args:
        ledger: where checkouts are kept.
        listener: who hears of the unusual.
        part: the containment.
        trace: record whole stacks.
    """

    def __init__(self, ledger: Ledger, listener: CheckoutListener, part: Part, trace: bool) -> None:
        self.ledger = ledger
        self.listener = listener
        self.part = part
        self.capture: Callable[[FrameType | None], RawStack] = whole if trace else nearest

    def install(self, patches: Patches) -> None:
        """Patch both families."""
        import psycopg_pool

        self.refusals = (psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests)
        self.closed = psycopg_pool.PoolClosed
        patches.wrap(psycopg_pool.ConnectionPool, "getconn", self._sync_get)
        patches.wrap(psycopg_pool.ConnectionPool, "putconn", self._sync_put)
        patches.wrap(psycopg_pool.AsyncConnectionPool, "getconn", self._async_get)
        patches.wrap(psycopg_pool.AsyncConnectionPool, "putconn", self._async_put)

    def _sync_get(self, original: AnyFunction) -> AnyFunction:
        part, pools, slots = self.part, self.ledger.pools, self.ledger.slots
        capture, new_slot, active = self.capture, self.ledger.new_slot, threading._active  # type: ignore[attr-defined]  # the thread's name without the lock of enumerate()
        getframe, ident_of, monotonic, listener = sys._getframe, get_ident, time.monotonic, self.listener
        refusals, closed = self.refusals, self.closed

        def getconn(self_: Any, *args: Any, **kwargs: Any) -> Any:
            waited_from = 0.0 if self_._pool else monotonic()
            try:
                conn = original(self_, *args, **kwargs)
            except refusals as error:
                if part.enabled:
                    with part:
                        self._refused(self_, error, capture(getframe(1)), waited_from)
                raise
            except closed:
                if part.enabled:
                    with part:
                        listener.closed_while_waiting(self_)
                raise
            if part.enabled:
                try:
                    entry = pools.get(id(self_))
                    if entry is not None:
                        key = id(conn)
                        slot = slots.get(key)
                        if slot is None or slot.ref() is not conn:
                            slot = new_slot(conn, entry)
                        slot.holder = holder = ident_of()
                        slot.thread = active[holder].name if holder in active else ""
                        slot.task = None
                        slot.taken_mono = now = monotonic()
                        slot.raw = capture(getframe(1))
                        out = entry.out
                        out[key] = slot
                        if len(out) > entry.peak:
                            entry.peak = len(out)
                        if waited_from and now - waited_from > entry.longest_wait_s:
                            entry.longest_wait_s = now - waited_from
                        holding = entry.holding
                        outer = holding.get(holder)
                        holding[holder] = slot
                        if outer is not None and outer is not slot and outer.raw is not None:
                            listener.nested(entry, outer, slot)
                except Exception as error:  # noqa: BLE001 - contained() inlined: this is the hot path
                    fail(part, type(error), error.__traceback__)
            return conn

        return getconn

    def _async_get(self, original: AnyFunction) -> AnyFunction:
        import asyncio

        part, pools, slots = self.part, self.ledger.pools, self.ledger.slots
        capture, new_slot = self.capture, self.ledger.new_slot
        getframe, monotonic, listener = sys._getframe, time.monotonic, self.listener
        refusals, closed = self.refusals, self.closed

        async def getconn(self_: Any, *args: Any, **kwargs: Any) -> Any:
            waited_from = 0.0 if self_._pool else monotonic()
            try:
                conn = await original(self_, *args, **kwargs)
            except refusals as error:
                if part.enabled:
                    with part:
                        self._refused(self_, error, capture(getframe(1)), waited_from)
                raise
            except closed:
                if part.enabled:
                    with part:
                        listener.closed_while_waiting(self_)
                raise
            if part.enabled:
                try:
                    entry = pools.get(id(self_))
                    if entry is not None:
                        key = id(conn)
                        slot = slots.get(key)
                        if slot is None or slot.ref() is not conn:
                            slot = new_slot(conn, entry)
                        task = asyncio.current_task()
                        slot.hold_in_task(task)
                        slot.taken_mono = now = monotonic()
                        slot.raw = capture(getframe(1))
                        out = entry.out
                        out[key] = slot
                        if len(out) > entry.peak:
                            entry.peak = len(out)
                        if waited_from and now - waited_from > entry.longest_wait_s:
                            entry.longest_wait_s = now - waited_from
                        holding = entry.holding
                        outer = holding.get(slot.holder)
                        holding[slot.holder] = slot
                        if outer is not None and outer is not slot and outer.raw is not None:
                            listener.nested(entry, outer, slot)
                except Exception as error:  # noqa: BLE001 - contained() inlined: this is the hot path
                    fail(part, type(error), error.__traceback__)
            return conn

        return getconn

    def _sync_put(self, original: AnyFunction) -> AnyFunction:
        part, slots, leave = self.part, self.ledger.slots, self._leave

        def putconn(self_: Any, conn: Any, *args: Any, **kwargs: Any) -> Any:
            slot = slots.get(id(conn))
            if slot is None or slot.raw is None or not part.enabled:
                return original(self_, conn, *args, **kwargs)
            # Before the call: the moment it is back, another thread may take it and write into the slot.
            left = leave(slot, conn)
            try:
                result = original(self_, conn, *args, **kwargs)
            except BaseException:
                self._came_back(slot, conn, left)
                raise
            if left is not None and left[1]:
                with part:
                    self.listener.returned(left[0], slot, left[2], left[1], nearest(sys._getframe(1)))
            return result

        return putconn

    def _async_put(self, original: AnyFunction) -> AnyFunction:
        part, slots, leave = self.part, self.ledger.slots, self._leave

        async def putconn(self_: Any, conn: Any, *args: Any, **kwargs: Any) -> Any:
            slot = slots.get(id(conn))
            if slot is None or slot.raw is None or not part.enabled:
                return await original(self_, conn, *args, **kwargs)
            left = leave(slot, conn)
            try:
                result = await original(self_, conn, *args, **kwargs)
            except BaseException:
                self._came_back(slot, conn, left)
                raise
            if left is not None and left[1]:
                with part:
                    self.listener.returned(left[0], slot, left[2], left[1], nearest(sys._getframe(1)))
            return result

        return putconn

    def _leave(self, slot: Slot, conn: Any) -> Any:
        """Take a connection off the ledger; tells what is unusual about it, None if nothing is known."""
        try:
            raw, entry = slot.raw, slot.entry
            slot.raw = None
            entry.out.pop(id(conn), None)
            held_s = time.monotonic() - slot.taken_mono
            if held_s > entry.longest_held_s:
                entry.longest_held_s = held_s
                entry.longest_held_by = raw
            slot.held_s = held_s
            status = int(conn.pgconn.transaction_status)
            return entry, status or (SUSPECTED if slot.suspected else 0), raw
        except Exception as error:  # noqa: BLE001 - contained() inlined: this is the hot path
            fail(self.part, type(error), error.__traceback__)
            return None

    def _came_back(self, slot: Slot, conn: Any, left: Any) -> None:
        """The pool refused the connection: it is still out."""
        with self.part:
            if left is not None and getattr(conn, "_pool", None) is not None and slot.raw is None:
                slot.raw = left[2]
                left[0].out[id(conn)] = slot

    def _refused(self, pool: Any, error: BaseException, request: RawStack, waited_from: float) -> None:
        entry = self.ledger.find(pool)
        if entry is not None:
            self.listener.refused(entry, error, request, time.monotonic() - waited_from if waited_from else 0.0)


SUSPECTED = 100  # beyond libpq's transaction states, which end at 4
