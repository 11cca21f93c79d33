"""The live state of this process's pools and connections: weak references and tallies.

No lock: every operation on the dicts and deques is a single one of the interpreter's own, so that a finalizer, a signal
handler or a fork can come between any two lines. Finalizers only append to ``gone`` and ``gone_connections``.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, TypeVar

from poolwitness.guards import is_ours, let_pass
from poolwitness.ledger import fork
from poolwitness.ledger.connections import ConnectionRef, TrackedConnection
from poolwitness.ledger.observers import Observers
from poolwitness.ledger.pools import PoolRef, TrackedPool
from poolwitness.model.startup import clock

MAX_POOLS = 20_000
MAX_CONNECTIONS = 100_000
MAX_LOST = 1000

Ref = TypeVar("Ref", PoolRef, ConnectionRef)


class Ledger:
    """The pools of this process, bounded; what could not be kept is counted in ``dropped_records``.

    Args:
        observers: notified of what the garbage collector took, and of forks.
    """

    def __init__(self, observers: Observers) -> None:
        self.observers = observers
        self.pools: dict[int, TrackedPool] = {}
        # By the id of an async pool: a weak reference to the loop that it was opened on.
        self.loops: dict[int, Any] = {}
        self.departed: deque[TrackedPool] = deque(maxlen=1000)
        self.gone: deque[PoolRef] = deque()
        # Not empty in a forked child, until `synchronize`.
        self.forked: deque[int] = deque()
        self.pid = os.getpid()
        self.dropped_records = 0
        self.totals: Counter[str] = Counter()
        self.connections: dict[int, TrackedConnection] = {}
        self.gone_connections: deque[ConnectionRef] = deque()
        self._ids = itertools.count(1)
        self._connection_ids = itertools.count(1)
        self._connection_gone: Callable[[Any], None] = self.gone_connections.append
        self._pool_gone: Callable[[Any], None] = self.gone.append

    def report_change(self, pool: TrackedPool, change: str) -> None:
        """Something that a rule may report happened to a pool: see `Observer.pool_changed`."""
        self.synchronize()
        self.observers.pool_changed(pool, change)

    def synchronize(self) -> None:
        """Take in what finalizers and fork hooks left; in a forked child, become the child's ledger."""
        fork.detect_fork(self.pid)
        while self.forked:
            self._become_childs()
        self.drain()
        self.observers.synchronized()

    def add(self, pool: Any, tracked: TrackedPool) -> bool:
        """Track a pool; False when the ledger is full."""
        self.drain()
        if len(self.pools) >= MAX_POOLS:
            self.dropped_records += 1
            return False
        tracked.id = next(self._ids)
        ref = PoolRef(pool, self._pool_gone)
        ref.pool = tracked
        tracked.ref = ref
        self.pools[id(pool)] = tracked
        return True

    def track_connection(self, conn: Any, pool: Any) -> TrackedConnection | None:
        """Track a connection that is seen for the first time; None if its pool is not known, or the ledger is full."""
        tracked_pool = self.find(pool)
        if tracked_pool is None:
            return None
        if len(self.connections) >= MAX_CONNECTIONS:
            self.dropped_records += 1
            return None
        key = id(conn)
        connection = TrackedConnection(key, tracked_pool, next(self._connection_ids))
        ref = ConnectionRef(conn, self._connection_gone)
        ref.connection = connection
        connection.ref = ref
        self.connections[key] = tracked_pool.connections[key] = connection
        return connection

    def find(self, pool: Any) -> TrackedPool | None:
        """The tracked pool of a live pool."""
        tracked = self.pools.get(id(pool))
        # In a cycle the collector clears weak references before it calls __del__, which may close the pool.
        return tracked if tracked is not None and ((known := tracked.ref()) is pool or known is None) else None

    def discard(self, pool: Any) -> None:
        """Remove a pool whose constructor failed."""
        self.pools.pop(id(pool), None)

    def drain(self) -> None:
        """Take in the pools and connections that were garbage-collected."""
        _take_each(self.gone, lambda ref: self._take_pool(ref.pool))
        self.drain_connections()

    def _take_pool(self, tracked: TrackedPool) -> None:
        if self.pools.get(tracked.object_id) is tracked:
            del self.pools[tracked.object_id]
            self.loops.pop(tracked.object_id, None)
        life = tracked.life
        if life.closed_at is None and life.opened_at is not None and not life.inherited:
            life.dropped = True
            self._depart(tracked)
        elif any(not connection.lost_from_open for connection in tracked.lost):
            # They were lost after the check at its close.
            self._depart(tracked)
        self.observers.pool_collected(tracked)

    def drain_connections(self) -> list[TrackedPool]:
        """Take in the connections that were garbage-collected; one that was checked out is a lost slot of its pool.

        Returns:
            The pools that lost one.
        """
        losers: list[TrackedPool] = []

        def take(ref: ConnectionRef) -> None:
            if self._take_connection(ref.connection):
                losers.append(ref.connection.pool)

        _take_each(self.gone_connections, take)
        return losers

    def _take_connection(self, connection: TrackedConnection) -> bool:
        if self.connections.get(connection.object_id) is connection:
            del self.connections[connection.object_id]
        pool = connection.pool
        if pool.connections.get(connection.object_id) is connection:
            del pool.connections[connection.object_id]
        is_lost = connection.taken_from is not None
        # It is there already if an exception of the program's landed in the lines below.
        if is_lost and connection not in pool.lost:
            self._lose(connection)
        self.observers.connection_collected(connection)
        return is_lost

    def _lose(self, connection: TrackedConnection) -> None:
        pool = connection.pool
        if len(pool.lost) >= MAX_LOST:
            self.dropped_records += 1
            return
        connection.held_s = clock.since(connection.taken_mono)
        connection.lost_from_open = pool.life.closed_at is None
        pool.lost.append(connection)
        if self.pools.get(pool.object_id) is not pool:
            self._depart(pool)

    def _depart(self, pool: TrackedPool) -> None:
        if pool in self.departed:
            return
        if len(self.departed) == self.departed.maxlen:
            self.dropped_records += 1
        self.departed.append(pool)

    def _become_childs(self) -> None:
        self.pid = os.getpid()
        self.departed.clear()
        self.gone.clear()
        self.gone_connections.clear()
        self.connections.clear()
        self.totals = Counter()
        for pool in list(self.pools.values()):
            pool.connections = {}
            pool.crossed_fork = pool.crossed_loops = None
            # One that was created for the children and is yet to be opened is theirs.
            pool.life.inherited = pool.state != "new"
            if not pool.life.inherited:
                pool.pid = self.pid
                if pool.info is not None:
                    pool.info = pool.info._replace(pid=self.pid)
        self.observers.forked()
        self.forked.clear()
        pools = self.pools.copy().values()
        fork.acknowledge_fork(owns_all=not any(pool.inherited and pool.state == "open" for pool in pools))

    def forget_departed(self, checked: list[TrackedPool]) -> None:
        """Let go of pools that are gone and have been checked for the last time."""
        for pool in checked:
            if pool.ref() is None:
                try:
                    self.departed.remove(pool)
                except ValueError as error:
                    let_pass(error)
                    continue

    def entries(self) -> list[TrackedPool]:
        """The pools that are alive, oldest first, and those that were dropped since the last check."""
        return [*list(self.pools.values()), *list(self.departed)]


def _take_each(queue: deque[Ref], take: Callable[[Ref], None]) -> None:
    """Take what finalizers queued; what an exception of the program's interrupts is queued again."""
    while queue:
        ref = None
        try:
            ref = queue.popleft()
            take(ref)
        except IndexError as error:
            let_pass(error)
            if ref is not None:
                raise
            break  # another thread was faster
        except BaseException as error:
            if ref is not None and not is_ours(error):
                queue.appendleft(ref)
            raise
