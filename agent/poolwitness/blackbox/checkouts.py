"""Write who holds a connection and who waits for one: one record each, written in one piece.

The hot path of the black box. A record's state is the last thing that is written into it, and packing begins by
clearing it: a process that is killed in between leaves a record that nobody reads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from typing import Any

from poolwitness.blackbox import format as layout
from poolwitness.blackbox.writer import Writer
from poolwitness.guards import let_pass
from poolwitness.ledger.connections import NOT_BOXED, TrackedConnection
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.stacks import RawStack, current_frames, resolve
from poolwitness.model.startup import clock

# The record that is never read: for what has no room.
SCRATCH = layout.HOLDERS.at(0)
# Stacks beyond the table are not looked for again and again.
MOST_KNOWN = 2 * layout.STACKS.count

# (raw stack, its number, the next one with the same key)
Known = tuple[RawStack, int, Any]


class CheckoutRecords:
    """The records of checkouts and waiting requests.

    Args:
        writer: gives this process's writer, None where there is none.
        keep: has a pool written, unless it is; False where it has no room.
        forked: not empty in a child that has not noticed yet.
        failed: told what our own lines raised.
    """

    def __init__(
        self,
        writer: Callable[[], Writer | None],
        keep: Callable[[Writer, TrackedPool], bool],
        forked: deque[int],
        failed: Callable[[Exception], None],
    ) -> None:
        self.writer = writer
        self.keep = keep
        self.forked = forked
        self.failed = failed
        self.lost: deque[int] = deque()
        self.buffer: Any = bytearray(SCRATCH + layout.HOLDERS.size)
        self._known: dict[int, Known] = {}
        self._known_count = 0
        self.taken, self.returned, self._write_into = self._hot_path()

    def _hot_path(
        self,
    ) -> tuple[Callable[[TrackedConnection], None], Callable[[TrackedConnection], None], Callable[[Any], None]]:
        pack_into, settle, look_up, failed = layout.HOLD.pack_into, self._settle, self._look_up, self.failed
        forked, buffer, state_at = self.forked, self.buffer, layout.STATE

        def taken(connection: TrackedConnection) -> None:
            try:
                at = connection.box
                if not at or forked:
                    at = settle(connection)
                holder = connection.holder
                into, raw, name, stack, state = holder.boxed if holder is not None else NOT_BOXED
                # What the same holder wrote last is most often what it writes now.
                if raw != connection.taken_from or into is not buffer:
                    name, stack, state = look_up(connection)
                pack_into(buffer, at, name, connection.taken_mono, stack, state)
            except Exception as error:  # noqa: BLE001 - ours alone: the checkout itself is kept by the ledger
                failed(error)

        def returned(connection: TrackedConnection) -> None:
            try:
                at = connection.box
                if at and not forked:
                    buffer[at + state_at] = 0
            except Exception as error:  # noqa: BLE001 - as above
                failed(error)

        def write_into(new: Any) -> None:
            nonlocal buffer
            buffer = new

        return taken, returned, write_into

    def _look_up(self, connection: TrackedConnection) -> tuple[bytes, int, int]:
        """What is written of a holder and its stack: the name, the stack's number and the state."""
        raw, holder = connection.taken_from or (), connection.holder
        stack = self._number_of(raw)
        if holder is None:
            return b"", stack, layout.TAKEN_BY_THREAD
        name = holder.name.encode("utf-8", "replace")
        state = layout.TAKEN_BY_TASK if holder.in_task else layout.TAKEN_BY_THREAD
        holder.boxed = (self.buffer, raw, name, stack, state)
        return name, stack, state

    def reset(self, connections: list[TrackedConnection]) -> None:
        """Write nowhere: the mapping is another process's, or is going.

        Args:
            connections: those that have a record in it.
        """
        self._use(bytearray(SCRATCH + layout.HOLDERS.size))
        for connection in connections:
            connection.box = 0
        self.lost.clear()
        self._known.clear()
        self._known_count = 0

    def _use(self, buffer: Any) -> None:
        self.buffer = buffer
        self._write_into(buffer)

    def _settle(self, connection: TrackedConnection) -> int:
        """Give a connection its record; the scratch record where there is none to give."""
        writer = self.writer()
        connection.box = at = (
            SCRATCH if writer is None else self._new(writer, connection.pool, connection.id, "checkouts")
        )
        return at

    def _new(self, writer: Writer, pool: TrackedPool, number: int, what: str) -> int:
        if self.buffer is not writer.map:
            self._use(writer.map)
        record = (writer.holders.take() or self._oldest_lost()) if self.keep(writer, pool) else 0
        if not record:
            writer.drop(what)
            return SCRATCH
        at = layout.HOLDERS.at(record)
        layout.IDENTITY.pack_into(writer.map, at + layout.IDENTITY_AT, pool.id, number)
        return at

    def _oldest_lost(self) -> int:
        try:
            record = self.lost.popleft()
        except IndexError as error:
            let_pass(error)
            return 0
        self.buffer[layout.HOLDERS.at(record) + layout.STATE] = layout.IN
        return record

    def gone(self, connection: TrackedConnection) -> None:
        """A connection was garbage-collected: its record is free, or tells of a lost connection."""
        at = connection.box
        if not at or at == SCRATCH or self.forked:
            return
        writer = self.writer()
        if writer is None:
            return
        record = (at - layout.HOLDERS.offset) // layout.HOLDERS.size
        if connection.taken_from is None:
            self.buffer[at + layout.STATE] = layout.IN
            writer.holders.back.append(record)
            return
        in_task = connection.holder is not None and connection.holder.in_task
        if connection.pool.life.closed_at is None:
            state = layout.LOST_BY_TASK if in_task else layout.LOST_BY_THREAD
        else:
            state = layout.LOST_CLOSED_BY_TASK if in_task else layout.LOST_CLOSED_BY_THREAD
        layout.SEEN.pack_into(self.buffer, at + layout.SEEN_AT, connection.taken_mono, clock.monotonic(), 0)
        self.buffer[at + layout.STATE] = state
        self.lost.append(record)

    def seen(self, connections: list[TrackedConnection]) -> None:
        """Note how the connections that are out stand now, and whether who took them is still there."""
        idents = frozenset(current_frames())
        for connection in connections:
            at, since_mono, conn = connection.box, connection.taken_mono, connection.ref()
            if connection.taken_from is None or conn is None or not at or at == SCRATCH:
                continue
            status = int(conn.pgconn.transaction_status) + 1
            if connection.holder is not None and not connection.holder.is_alive(idents):
                status |= layout.SEEN_GONE
            active_mono = max(since_mono, connection.active_mono)
            # A reader that finds another since in the record knows that this is of an earlier checkout.
            layout.SEEN.pack_into(self.buffer, at + layout.SEEN_AT, since_mono, active_mono, status)

    def began_waiting(self, pool: TrackedPool, raw: RawStack, holder: str, in_task: bool) -> int:
        """A request waits; gives what `ended_waiting` takes."""
        writer = self.writer()
        if writer is None:
            return SCRATCH
        at = self._new(writer, pool, 0, "requests")
        name = holder.encode("utf-8", "replace")
        state = layout.WAITING_TASK if in_task else layout.WAITING_THREAD
        layout.HOLD.pack_into(self.buffer, at, name, clock.monotonic(), self._number_of(raw), state)
        return at

    def ended_waiting(self, at: int, pid: int) -> None:
        """It waits no more.

        Args:
            at: what `began_waiting` gave.
            pid: the process that it began in.
        """
        writer = self.writer()
        if at == SCRATCH or writer is None or pid != os.getpid():
            return
        writer.map[at + layout.STATE] = layout.IN
        writer.holders.back.append((at - layout.HOLDERS.offset) // layout.HOLDERS.size)

    def _number_of(self, raw: RawStack) -> int:
        """The number of a stack; 0 where there is none, or no room for it."""
        if not raw:
            return 0
        # By identity: to hash a code object takes longer than all the rest.
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
