"""Write who holds a connection and who waits for one: one record each, in one write whose last byte is its state.

The hot path of the black box. A record is free when it is written, so a write of which the kernel kept only a part,
because the process was killed, leaves a record that is still free.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from typing import Any

from poolwitness.blackbox import format as layout
from poolwitness.blackbox.file import Write
from poolwitness.blackbox.writer import Writer
from poolwitness.guards import let_pass
from poolwitness.ledger.connections import NOT_BOXED, TrackedConnection
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.stacks import RawStack, current_frames, resolve
from poolwitness.model.startup import clock

# The record that is never read: for what has no room.
SCRATCH = layout.HOLDERS.at(0)
# Stacks beyond the table are not looked up again and again.
MOST_KNOWN = 2 * layout.STACKS.records

_CLEAR = bytes([layout.IN])
_LOST_FROM_OPEN = (layout.LOST_BY_THREAD, layout.LOST_BY_TASK)
_LOST_FROM_CLOSED = (layout.LOST_CLOSED_BY_THREAD, layout.LOST_CLOSED_BY_TASK)


class CheckoutRecords:
    """The records of checkouts and waiting requests.

    Args:
        writer: gives this process's writer, or None.
        keep: writes a pool unless it is written; False if it has no room.
        forked: not empty in a child that has not noticed yet.
    """

    def __init__(
        self,
        writer: Callable[[], Writer | None],
        keep: Callable[[Writer, TrackedPool], bool],
        forked: deque[int],
    ) -> None:
        self.writer = writer
        self.keep = keep
        self.forked = forked
        self.write: Write = _write_nothing
        self._lost: deque[int] = deque()
        # By a cheap key: (raw stack, its number, the next one with the same key)
        self._known: dict[int, tuple[RawStack, int, Any]] = {}
        self._known_count = 0

    def taken(self, connection: TrackedConnection) -> None:
        """A connection was checked out."""
        at = connection.box
        if not at or self.forked:
            at = self._settle(connection)
        holder = connection.holder
        into, raw, name, stack, state = holder.boxed if holder is not None else NOT_BOXED
        # What the same holder wrote last is most often what it writes now.
        if raw != connection.taken_from or into is not self.write:
            name, stack, state = self._look_up(connection)
        self.write(at, layout.HOLD.pack(name, connection.taken_mono, stack, state))

    def returned(self, connection: TrackedConnection) -> None:
        """A connection is being returned."""
        at = connection.box
        if at and not self.forked:
            self.write(at + layout.STATE, _CLEAR)

    def _look_up(self, connection: TrackedConnection) -> tuple[bytes, int, int]:
        """What is written about a holder and its stack: the name, the stack's number and the state."""
        raw, holder = connection.taken_from or (), connection.holder
        stack = self._number_of(raw)
        if holder is None:
            return b"", stack, layout.TAKEN_BY_THREAD
        name = holder.name.encode("utf-8", "replace")
        state = layout.TAKEN_BY_TASK if holder.in_task else layout.TAKEN_BY_THREAD
        holder.boxed = (self.write, raw, name, stack, state)
        return name, stack, state

    def reset(self, connections: list[TrackedConnection]) -> None:
        """Write nothing more: the file is another process's, or is finished; *connections* have a record in it."""
        self.write = _write_nothing
        for connection in connections:
            connection.box = 0
        self._lost.clear()
        self._known.clear()
        self._known_count = 0

    def _settle(self, connection: TrackedConnection) -> int:
        """Give a connection its record, or the scratch record if there is none."""
        writer = self.writer()
        at = SCRATCH if writer is None else self._new(writer, connection.pool, connection.id, "checkouts")
        connection.box = at
        return at

    def _new(self, writer: Writer, pool: TrackedPool, number: int, what: str) -> int:
        self.write = writer.write_bytes
        record = (writer.holders.take() or self._oldest_lost()) if self.keep(writer, pool) else 0
        if not record:
            writer.drop(what)
            return SCRATCH
        at = layout.HOLDERS.at(record)
        self.write(at + layout.IDENTITY_AT, layout.IDENTITY.pack(pool.id, number))
        return at

    def _oldest_lost(self) -> int:
        try:
            record = self._lost.popleft()
        except IndexError as error:
            let_pass(error)
            return 0
        self.write(layout.HOLDERS.at(record) + layout.STATE, _CLEAR)
        return record

    def collected(self, connection: TrackedConnection) -> None:
        """A connection was garbage-collected: its record is free, or becomes that of a lost connection."""
        at = connection.box
        if not at or at == SCRATCH or self.forked:
            return
        writer = self.writer()
        if writer is None:
            return
        if connection.taken_from is None:
            self._free(writer, at)
            return
        in_task = connection.holder is not None and connection.holder.in_task
        states = _LOST_FROM_OPEN if connection.pool.life.closed_at is None else _LOST_FROM_CLOSED
        self._write_seen(at, connection.taken_mono, clock.monotonic(), 0)
        self.write(at + layout.STATE, bytes([states[in_task]]))
        self._lost.append(_record_at(at))

    def swept(self, connections: list[TrackedConnection]) -> None:
        """Write the status of the connections that are checked out, and whether their holders have ended."""
        idents = frozenset(current_frames())
        for connection in connections:
            at, since_mono, conn = connection.box, connection.taken_mono, connection.ref()
            if connection.taken_from is None or conn is None or not at or at == SCRATCH:
                continue
            status = int(conn.pgconn.transaction_status) + 1
            if connection.holder is not None and not connection.holder.is_alive(idents):
                status |= layout.SEEN_GONE
            self._write_seen(at, since_mono, max(since_mono, connection.active_mono), status)

    def _write_seen(self, at: int, since_mono: float, active_mono: float, status: int) -> None:
        # A reader that finds another since in the record ignores this: it is of an earlier checkout.
        self.write(at + layout.SEEN_AT, layout.SEEN.pack(since_mono, active_mono, status))

    def waiting(self, pool: TrackedPool, raw: RawStack, holder: str, in_task: bool) -> int:
        """A request begins to wait; gives what `done` takes."""
        writer = self.writer()
        if writer is None:
            return SCRATCH
        at = self._new(writer, pool, 0, "requests")
        name = holder.encode("utf-8", "replace")
        state = layout.WAITING_TASK if in_task else layout.WAITING_THREAD
        self.write(at, layout.HOLD.pack(name, clock.monotonic(), self._number_of(raw), state))
        return at

    def done(self, at: int, pid: int) -> None:
        """The request that began to wait in process *pid* no longer does."""
        writer = self.writer()
        if at != SCRATCH and writer is not None and pid == os.getpid():
            self._free(writer, at)

    def _free(self, writer: Writer, at: int) -> None:
        writer.write_bytes(at + layout.STATE, _CLEAR)
        writer.holders.back.append(_record_at(at))

    def _number_of(self, raw: RawStack) -> int:
        """The number of a stack; 0 if there is none, or no room for it."""
        if not raw:
            return 0
        # By identity: hashing a code object takes longer than all the rest.
        code, instruction = raw[0], raw[1]
        assert isinstance(instruction, int)
        key = id(code) + instruction
        found = first = self._known.get(key)
        while found is not None and found[0] != raw:
            found = found[2]
        if found is not None:
            return found[1]
        writer = self.writer()
        if writer is None or self._known_count >= MOST_KNOWN:
            return 0
        number = writer.stack(resolve(raw))
        self._known[key] = (raw, number, first)
        self._known_count += 1
        return number


def _record_at(at: int) -> int:
    return (at - layout.HOLDERS.offset) // layout.HOLDERS.size


def _write_nothing(at: int, data: bytes) -> None:
    """In the place of a file's function where there is no file."""
