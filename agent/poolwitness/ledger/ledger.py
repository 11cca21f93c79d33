"""What is known, in memory: weak references to pools with what was seen of each.

No lock: every operation on the dict and the deque is a single one of the interpreter's own, so that a finalizer,
a signal handler or a fork can come between any two lines. Finalizers only append to ``gone``.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from poolwitness.ledger.pools import ConnectionRef, PoolRef, TrackedConnection, TrackedPool

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_POOLS = 20_000
MAX_SLOTS = 100_000
MAX_LOST = 1000


class GoneListener(Protocol):
    """Who is told of what the garbage collector took, once the ledger has taken it in."""

    def pool_gone(self, entry: TrackedPool) -> None:
        """A pool is gone; its entry says whether it was open."""

    def slot_gone(self, slot: TrackedConnection) -> None:
        """A connection is gone; its slot says whether it was out."""


class Ledger:
    """The pools of this process, bounded; what could not be kept is counted in ``dropped_records``."""

    def __init__(self) -> None:
        self.pools: dict[int, TrackedPool] = {}
        self.departed: deque[TrackedPool] = deque(maxlen=1000)
        self.gone: deque[PoolRef] = deque()
        self.forked: deque[int] = deque()
        self.pid = os.getpid()
        self.dropped_records = 0
        self.totals: dict[str, int] = {}
        self.slots: dict[int, TrackedConnection] = {}
        self.gone_slots: deque[ConnectionRef] = deque()
        self.listener: GoneListener | None = None
        self._ids = itertools.count(1)
        self._slot_ids = itertools.count(1)
        self._gone_slots_append: Callable[[Any], None] = self.gone_slots.append
        self._gone_append: Callable[[Any], None] = self.gone.append

    def add(self, pool: Any, entry: TrackedPool) -> bool:
        """Take a pool in; False when the ledger is full."""
        self.drain()
        if len(self.pools) >= MAX_POOLS:
            self.dropped_records += 1
            return False
        entry.id = next(self._ids)
        ref = PoolRef(pool, self._gone_append)
        ref.entry = entry
        entry.ref = ref
        self.pools[id(pool)] = entry
        return True

    def new_slot(self, conn: Any, pool: Any) -> TrackedConnection | None:
        """A connection that is seen for the first time; None when its pool is not known."""
        entry = self.find(pool)
        if entry is None:
            return None
        if len(self.slots) >= MAX_SLOTS:
            self.dropped_records += 1
            raise MemoryError("the ledger is full")
        key = id(conn)
        slot = TrackedConnection(key, entry, next(self._slot_ids))
        ref = ConnectionRef(conn, self._gone_slots_append)
        ref.slot = slot
        slot.ref = ref
        self.slots[key] = entry.slots[key] = slot
        return slot

    def find(self, pool: Any) -> TrackedPool | None:
        """The entry of a live pool."""
        entry = self.pools.get(id(pool))
        # In a cycle the collector clears weak references before it calls __del__, which may close the pool.
        return entry if entry is not None and ((known := entry.ref()) is pool or known is None) else None

    def forget(self, pool: Any) -> None:
        """Drop a pool whose constructor failed."""
        self.pools.pop(id(pool), None)

    def drain(self) -> None:
        """Take in what finalizers and fork hooks left behind."""
        while self.forked:
            self.forked.clear()
            self.adopt()
        while self.gone:
            try:
                ref = self.gone.popleft()
            except IndexError:  # another thread was quicker
                break
            entry = ref.entry
            if self.pools.get(entry.object_id) is entry:
                del self.pools[entry.object_id]
            if entry.closed_at is None and entry.opened_at is not None and not entry.inherited:
                entry.dropped = True
                if len(self.departed) == self.departed.maxlen:
                    self.dropped_records += 1
                self.departed.append(entry)
            elif any(not slot.lost_from_open for slot in entry.lost) and entry not in self.departed:
                # They were lost after the look at its close.
                self.departed.append(entry)
            if self.listener is not None:
                self.listener.pool_gone(entry)

        self.drain_slots()

    def drain_slots(self) -> list[TrackedPool]:
        """Take in the connections that are gone; one that was out is a lost slot of its pool.

        Returns:
            The pools that lost one.
        """
        losers: list[TrackedPool] = []
        while self.gone_slots:
            try:
                slot = self.gone_slots.popleft().slot
            except IndexError:  # another thread was quicker
                break
            if self.slots.get(slot.object_id) is slot:
                del self.slots[slot.object_id]
            entry = slot.entry
            if entry.slots.get(slot.object_id) is slot:
                del entry.slots[slot.object_id]
            if slot.raw is not None and len(entry.lost) < MAX_LOST:
                slot.held_s = time.monotonic() - slot.taken_mono
                slot.lost_from_open = entry.closed_at is None
                entry.lost.append(slot)
                losers.append(entry)
                if self.pools.get(entry.object_id) is not entry and entry not in self.departed:
                    self.departed.append(entry)
            if self.listener is not None:
                self.listener.slot_gone(slot)
        return losers

    def adopt(self) -> None:
        """Become the ledger of a forked child: the parent's pools stay known as inherited, its news do not."""
        self.pid = os.getpid()
        self.departed.clear()
        self.gone.clear()
        self.gone_slots.clear()
        self.slots.clear()
        self.totals = {}
        for entry in list(self.pools.values()):
            entry.slots = {}
            entry.crossed_fork = entry.crossed_loops = None
            # One that was made for the children and is yet to be opened is theirs.
            entry.inherited = entry.state != "new"
            if not entry.inherited:
                entry.pid = self.pid

    def forget_departed(self, looked_at: list[TrackedPool]) -> None:
        """Let go of pools that are gone and have had their last look."""
        for entry in looked_at:
            if entry.ref() is None:
                try:
                    self.departed.remove(entry)
                except ValueError:
                    continue

    def count(self, what: str) -> None:
        """Add one to a total of the verdict."""
        self.totals[what] = self.totals.get(what, 0) + 1

    def entries(self) -> list[TrackedPool]:
        """The pools alive now, oldest first, and those that were dropped since the last look."""
        return [*list(self.pools.values()), *list(self.departed)]
