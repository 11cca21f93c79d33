"""Record who checks out which connection, and how it is returned.

The hot path of the agent, so getconn and putconn are wrapped by hand: a dozen dictionary and attribute operations, no
lock, no allocation but one tuple. What is unusual (a connection that is returned in a transaction, a request that is
refused) leaves it for `checkout_faults`.

The host's call comes first, and its result is never lost. If an exception of the program's lands in the lines after
the host's getconn, the connection is returned to the pool; if one lands in the lines before its putconn, the connection
is returned all the same. Then the exception goes on. Only before the ``try`` of putconn nothing has begun: there, as at
the first line of the host's own, it is as if it had not been called.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from poolwitness.guards import Guard, let_pass
from poolwitness.ledger import fork
from poolwitness.ledger.connections import TaskHolder, ThreadHolder, TrackedConnection
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observers
from poolwitness.ledger.stacks import RawStack
from poolwitness.model.startup import clock
from poolwitness.observe.call_site import APPLICATION, capture_for, code_kinds, nearest
from poolwitness.observe.checkout_faults import SUSPECTED, CheckoutFaults
from poolwitness.observe.crossings import RETURNED, USED, Crossings
from poolwitness.observe.patcher import AnyFunction

# Dead tasks are removed from the table of holders when it has grown to this, or to twice what was alive then.
FEWEST_TASKS = 500

ABSENT: Any = object()


class CheckoutPatches:
    """The wrappers of getconn and putconn.

    Args:
        ledger: where checkouts are tracked.
        observers: hear of each checkout, if one of them overrides those events.
        faults: takes what is unusual.
        crossings: checks a pool that may be used in another process or loop than its own.
        guard: contains what our lines raise.
        trace: capture long stacks.
    """

    def __init__(
        self,
        ledger: Ledger,
        observers: Observers,
        faults: CheckoutFaults,
        crossings: Crossings,
        guard: Guard,
        trace: bool,
    ) -> None:
        import psycopg_pool

        # Not the pool's own putconn: a subclass's getconn has not seen yet what is given back.
        self.sync_class, self.async_class = psycopg_pool.ConnectionPool, psycopg_pool.AsyncConnectionPool
        self.ledger = ledger
        self.observers = observers
        self.faults = faults
        self.crossings = crossings
        self.guard = guard
        self.trace = trace
        self.capture: Callable[[FrameType | None], RawStack] = capture_for(trace)
        self.taken, self.returned = observers.hot("checkout_taken"), observers.hot("checkout_returned")
        self.here = _Here()
        self.task_holders = TaskHolders()

    def sync_getconn(self, original: AnyFunction) -> AnyFunction:
        """The wrapper of ``ConnectionPool.getconn``."""
        guard, contains = self.guard, self.guard.contains
        connections_get, track = self.ledger.connections.get, self.ledger.track_connection
        capture, here, waited, failed = self.capture, self.here, self.faults.waited, self.faults.request_failed
        getframe, monotonic, nested = sys._getframe, clock.monotonic, self.faults.nested
        known, trace, taken = code_kinds.get, self.trace, self.taken
        gone, some_gone = self.ledger.gone_connections, self.faults.some_gone
        owns_all_pools, check_crossing, absent = fork.owns_all_pools, self.crossings.check, ABSENT
        base = self.sync_class

        # In one piece: each call less is a tenth of what the budget allows. No `try` inside the `try`: its first line
        # would belong to neither.
        def getconn(self: Any, timeout: float | None = None) -> Any:
            if not owns_all_pools:
                check_crossing(self, USED, getframe().f_back)
            try:
                waited_from = 0.0 if self._pool else monotonic()
            except Exception as error:  # noqa: BLE001 - an application's property
                let_pass(error)
                waited_from = 0.0
            conn = absent
            try:
                conn = original(self, timeout)
                if not guard.enabled:
                    return conn
                connection = connections_get(id(conn))
                if connection is None or connection.ref() is not conn:
                    connection = track(conn, self)
                    if connection is None:
                        return conn
                holder = here.holder
                frame = getframe().f_back
                if frame is None:  # called straight from C
                    raw: RawStack = ()
                elif (
                    # Most threads take all their connections in one function of the application.
                    ((code := frame.f_code) is holder.taker or (not trace and known(id(code)) == APPLICATION))
                    and (caller := frame.f_back) is not None
                    and ((called_by := caller.f_code) is holder.called_by or known(id(called_by)) == APPLICATION)
                ):
                    holder.taker, holder.called_by = code, called_by
                    raw = (code, frame.f_lasti, called_by, caller.f_lasti)
                else:
                    raw = capture(frame)
                outer = holder.last
                connection.holder = holder
                holder.last = connection
                connection.taken_mono = monotonic()
                connection.taken_from = raw
                if taken is not None:
                    taken(connection)
                if waited_from:
                    waited(connection, waited_from)
                if (
                    outer is not connection
                    and outer is not None
                    and outer.taken_from is not None
                    and outer.pool is connection.pool
                ):
                    nested(outer, connection)
                if gone:
                    some_gone()
                return conn
            except BaseException as error:
                if conn is absent:
                    # It was the host's call that raised.
                    if guard.enabled:
                        try:
                            with guard:
                                failed(self, error, getframe().f_back, waited_from)
                        except RecursionError:  # the stack is full: not even a guard has room on it
                            pass
                    raise
                if type(error) is RecursionError or contains(error):
                    return conn
                base.putconn(self, conn)
                raise

        return getconn

    def async_getconn(self, original: AnyFunction) -> AnyFunction:
        """The wrapper of ``AsyncConnectionPool.getconn``."""
        import asyncio

        guard, contains = self.guard, self.guard.contains
        connections_get, track = self.ledger.connections.get, self.ledger.track_connection
        capture, waited, failed = self.capture, self.faults.waited, self.faults.request_failed
        getframe, monotonic, nested = sys._getframe, clock.monotonic, self.faults.nested
        known, trace, taken = code_kinds.get, self.trace, self.taken
        gone, some_gone = self.ledger.gone_connections, self.faults.some_gone
        owns_all_pools, check_crossing = fork.owns_all_pools, self.crossings.check
        loops_get, running_loop = self.ledger.loops.get, asyncio._get_running_loop
        # Before Python 3.12 current_task() is not C.
        current_task: Any = asyncio.current_task if sys.version_info >= (3, 12) else asyncio.tasks._current_tasks.get  # type: ignore[attr-defined]
        holders_get, new_holder, absent = self.task_holders.by_id.get, self.task_holders.add, ABSENT
        base = self.async_class

        async def getconn(self: Any, timeout: float | None = None) -> Any:
            loop = running_loop()
            if not owns_all_pools or ((opened_on := loops_get(id(self))) is not None and opened_on() is not loop):
                check_crossing(self, USED, getframe().f_back)
            try:
                waited_from = 0.0 if self._pool else monotonic()
            except Exception as error:  # noqa: BLE001 - an application's property
                let_pass(error)
                waited_from = 0.0
            conn = absent
            try:
                conn = await original(self, timeout)
                if not guard.enabled:
                    return conn
                connection = connections_get(id(conn))
                if connection is None or connection.ref() is not conn:
                    connection = track(conn, self)
                    if connection is None:
                        return conn
                frame = getframe(1)
                task = current_task(loop)
                if task is None:
                    outer = holder = None
                    raw: RawStack = capture(frame)
                else:
                    holder = holders_get(id(task))
                    if holder is None or holder.task() is not task:
                        holder = new_holder(task)
                    outer = holder.last
                    holder.last = connection
                    if (
                        ((code := frame.f_code) is holder.taker or (not trace and known(id(code)) == APPLICATION))
                        and (caller := frame.f_back) is not None
                        and ((called_by := caller.f_code) is holder.called_by or known(id(called_by)) == APPLICATION)
                    ):
                        holder.taker, holder.called_by = code, called_by
                        raw = (code, frame.f_lasti, called_by, caller.f_lasti)
                    else:
                        raw = capture(frame)
                connection.holder = holder
                connection.taken_mono = monotonic()
                connection.taken_from = raw
                if taken is not None:
                    taken(connection)
                if waited_from:
                    waited(connection, waited_from)
                if (
                    outer is not connection
                    and outer is not None
                    and outer.taken_from is not None
                    and outer.pool is connection.pool
                ):
                    nested(outer, connection)
                if gone:
                    some_gone()
                return conn
            except BaseException as error:
                if conn is absent:
                    # It was the host's call that raised.
                    if guard.enabled:
                        try:
                            with guard:
                                failed(self, error, getframe().f_back, waited_from)
                        except RecursionError:  # the stack is full: not even a guard has room on it
                            pass
                    raise
                if type(error) is RecursionError or contains(error):
                    return conn
                await base.putconn(self, conn)
                raise

        return getconn

    def sync_putconn(self, original: AnyFunction) -> AnyFunction:
        """The wrapper of ``ConnectionPool.putconn``."""
        guard, contains, connections_get = self.guard, self.guard.contains, self.ledger.connections.get
        monotonic, returned = clock.monotonic, self.returned
        owns_all_pools, check_crossing = fork.owns_all_pools, self.crossings.check
        came_back_unusual, still_taken, given_back, absent = (
            self.faults.returned,
            self._still_taken,
            self._given_back,
            ABSENT,
        )

        def putconn(self: Any, conn: Any) -> Any:
            begun = result = absent
            try:
                unusual, connection, taken_from = 0, None, None
                if not owns_all_pools:
                    check_crossing(self, RETURNED, sys._getframe().f_back)
                connection = connections_get(id(conn))
                if connection is None or (taken_from := connection.taken_from) is None:
                    return original(self, begun := conn)
                # Before the call: as soon as it is back, another thread may take it and write into the same record.
                held_s = monotonic() - connection.taken_mono
                usage = connection.usage
                if held_s > usage.longest_held_s:
                    usage.longest_held_s = held_s
                    usage.longest_held_from = taken_from
                if returned is not None:
                    returned(connection)
                connection.taken_from = None
                if (status := conn.pgconn.transaction_status) or connection.suspected:
                    connection.held_s = held_s
                    unusual = int(status) or SUSPECTED
                result = original(self, begun := conn)
                if unusual:
                    with guard:
                        came_back_unusual(connection, taken_from, unusual, nearest(sys._getframe().f_back))
                return result
            except BaseException as error:
                if begun is not absent:
                    # If it was the host's call that raised.
                    if result is not absent and type(error) is RecursionError:
                        return result
                    if result is absent and connection is not None and taken_from is not None:
                        try:
                            with guard:
                                still_taken(connection, conn, taken_from)
                        except RecursionError:
                            pass
                    raise
                if type(error) is not RecursionError:
                    with guard:
                        given_back(conn)
                    if not contains(error):
                        original(self, conn)
                        raise
                elif connection is not None:
                    connection.taken_from = None
            return original(self, conn)

        return putconn

    def async_putconn(self, original: AnyFunction) -> AnyFunction:
        """The wrapper of ``AsyncConnectionPool.putconn``."""
        import asyncio

        guard, contains, connections_get = self.guard, self.guard.contains, self.ledger.connections.get
        monotonic, returned = clock.monotonic, self.returned
        owns_all_pools, check_crossing = fork.owns_all_pools, self.crossings.check
        came_back_unusual, still_taken, given_back, absent = (
            self.faults.returned,
            self._still_taken,
            self._given_back,
            ABSENT,
        )
        running_loop = asyncio._get_running_loop

        async def putconn(self: Any, conn: Any) -> Any:
            begun = result = absent
            try:
                unusual, connection, taken_from = 0, None, None
                connection = connections_get(id(conn))
                if not owns_all_pools or (
                    connection is not None and (loop := connection.loop) is not None and loop() is not running_loop()
                ):
                    check_crossing(self, RETURNED, sys._getframe().f_back)
                if connection is None or (taken_from := connection.taken_from) is None or connection.ref() is not conn:
                    return await original(self, begun := conn)
                # Before the call: as soon as it is back, another thread may take it and write into the same record.
                held_s = monotonic() - connection.taken_mono
                usage = connection.usage
                if held_s > usage.longest_held_s:
                    usage.longest_held_s = held_s
                    usage.longest_held_from = taken_from
                if returned is not None:
                    returned(connection)
                connection.taken_from = None
                if (status := conn.pgconn.transaction_status) or connection.suspected:
                    connection.held_s = held_s
                    unusual = int(status) or SUSPECTED
                result = await original(self, begun := conn)
                if unusual:
                    with guard:
                        came_back_unusual(connection, taken_from, unusual, nearest(sys._getframe().f_back))
                return result
            except BaseException as error:
                if begun is not absent:
                    # If it was the host's call that raised.
                    if result is not absent and type(error) is RecursionError:
                        return result
                    if result is absent and connection is not None and taken_from is not None:
                        try:
                            with guard:
                                still_taken(connection, conn, taken_from)
                        except RecursionError:
                            pass
                    raise
                if type(error) is not RecursionError:
                    with guard:
                        given_back(conn)
                    if not contains(error):
                        await original(self, conn)
                        raise
                elif connection is not None:
                    connection.taken_from = None
            return await original(self, conn)

        return putconn

    def _given_back(self, conn: Any) -> None:
        """A connection is about to be returned although what records that did not come to its end."""
        connection = self.ledger.connections.get(id(conn))
        if connection is not None and connection.ref() is conn and connection.taken_from is not None:
            connection.taken_from = None
            if self.returned is not None:
                self.returned(connection)

    def _still_taken(self, connection: TrackedConnection, conn: Any, taken_from: RawStack) -> None:
        """The pool refused the connection: it is still checked out."""
        if getattr(conn, "_pool", None) is not None and connection.taken_from is None:
            connection.taken_from = taken_from
            if self.taken is not None:
                self.taken(connection)


class _Here(threading.local):
    """The holder of the thread that runs, created when the thread first asks."""

    def __init__(self) -> None:
        self.holder = ThreadHolder()


class TaskHolders:
    """The holders of asyncio tasks, one for each task that has checked out a connection and is still there."""

    def __init__(self) -> None:
        self.by_id: dict[int, TaskHolder] = {}
        self._prune_at = FEWEST_TASKS

    def add(self, task: Any) -> TaskHolder:
        """A holder for a task that has none."""
        if len(self.by_id) >= self._prune_at:
            for key, known in list(self.by_id.items()):
                if known.task() is None:
                    del self.by_id[key]
            self._prune_at = max(FEWEST_TASKS, 2 * len(self.by_id))
        holder = self.by_id[id(task)] = TaskHolder(task)
        return holder


def expect_parameters(function: Any, names: tuple[str, ...]) -> None:
    """Refuse a method with other parameters than the wrapper names, which is quicker than passing on ``*args``.

    Raises:
        TypeError: it has others.
    """
    code = function.__code__
    found = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if found != names:
        raise TypeError(f"{function.__qualname__} takes {found}: this psycopg_pool is newer than this agent")
