"""The black box of a running process: what the observers tell it is in a shared mapping before they go on.

It is asked in the host's threads and holds no lock. A connection that is taken or returned is one record, see
`holding`; everything else is told by writing the pool's document anew, see `pools`.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

from poolwitness.blackbox import documents, identity
from poolwitness.blackbox import format as layout
from poolwitness.blackbox.checkouts import CheckoutRecords
from poolwitness.blackbox.contents import ProcessDocument
from poolwitness.blackbox.file import Mapping
from poolwitness.blackbox.pools import Pools
from poolwitness.blackbox.writer import Writer
from poolwitness.config import Config
from poolwitness.guards import Guard, fail
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedConnection, TrackedPool
from poolwitness.ledger.stacks import RawStack
from poolwitness.model.records import PoolRecord, Snapshot


class BlackBoxRecorder:
    """What one process writes for the case that it cannot speak any more.

    ``forked`` is to be appended to in every forked child.

    Args:
        config: the settings; the file is made in its ``blackbox`` when there is something to write.
        ledger: where pools and connections are kept.
        record: makes the frozen record of a pool.
        versions: the installed releases.
        problem: told one sentence when the file cannot be made.
        part: the containment.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        record: Callable[[TrackedPool], PoolRecord],
        versions: dict[str, tuple[int, ...]],
        problem: Callable[[str], None],
        part: Guard,
    ) -> None:
        self.config = config
        self.directory = os.path.abspath(config.blackbox)  # the program may go elsewhere
        self.ledger = ledger
        self.versions = versions
        self.problem = problem
        self.part = part
        self.forked: deque[int] = deque()
        self.pools = Pools(record)
        self._pid = os.getpid()
        self._ended = False
        self._writer: Writer | None = None
        self._writers: dict[int, Writer] = {}
        self.holding = CheckoutRecords(self.writer, self.pools.keep, self.forked, self._failed)
        self.taken, self.returned = self.holding.taken, self.holding.returned
        if "uwsgi" in sys.modules:  # it forks behind Python's back
            self.taken, self.returned = self._comparing(self.taken), self._comparing(self.returned)

    # what the agent tells

    def pool(self, entry: TrackedPool) -> None:
        """A pool was made, opened or closed, or something about it has changed."""
        with self.part:
            if self.part.enabled and entry.name and (writer := self.writer()) is not None:
                self.pools.write(writer, entry)

    def connect_failed(self, entry: TrackedPool, new: bool) -> None:
        """A connection could not be made: written once for each kind of error, and when it begins to fail again."""
        if new or entry.id not in self.pools.failing:
            self.pool(entry)

    def connected(self, entry: TrackedPool) -> None:
        """A connection was made: written when that had failed before."""
        if entry.id in self.pools.failing:
            self.pool(entry)

    def pool_gone(self, entry: TrackedPool) -> None:
        """A pool was garbage-collected."""
        with self.part:
            if self.part.enabled and self._writer is not None and not self.forked:
                self.pools.let_go(self._writer, entry)

    def slot_gone(self, slot: TrackedConnection) -> None:
        """A connection was garbage-collected."""
        with self.part:
            if self.part.enabled:
                self.holding.gone(slot)

    def began_waiting(self, pool: Any, raw: RawStack, holder: str, in_task: bool) -> tuple[int, int]:
        """A request waits for a connection of a pool; gives what `ended_waiting` takes."""
        entry = self.ledger.find(pool)
        if entry is None or not entry.name:
            return 0, 0
        return self.holding.began_waiting(entry, raw, holder, in_task), self._pid

    def ended_waiting(self, at: int, pid: int) -> None:
        """It waits no more."""
        if at:
            self.holding.ended_waiting(at, pid)

    def mark(self) -> int:
        """To be taken before the snapshot of a sweep: what is written meanwhile is newer than the snapshot."""
        return self._writer.generation() if self._writer is not None and not self.forked else 0

    def swept(self, mark: int, snapshot: Snapshot) -> None:
        """The process is alive, and this is how things stand.

        Args:
            mark: what `mark` gave before the snapshot was taken.
            snapshot: the sweep's.
        """
        with self.part:
            if mark and self.part.enabled and (writer := self.writer()) is not None:
                writer.mapping.anchor(snapshot.taken_mono, snapshot.taken_at)
                self.holding.seen(list(self.ledger.slots.values()))
                self.pools.write_all(writer, mark, snapshot, self.ledger.entries())

    def verdict(self) -> None:
        """The process has said what it had to say: its file is of no use any more."""
        with self.part:
            self._finish()

    def discard(self) -> None:
        """The agent leaves the process."""
        writer = self._writer
        self.give_up()
        if writer is not None:
            writer.mapping.let_go()

    # the file

    def writer(self) -> Writer | None:
        """The writer of this process, made when it is first wanted; None when none can be made, or all is over."""
        self._notice_fork()
        if self.forked:
            self._leave_parent()
        if self._writer is None and not self._ended:
            self._open()
        return self._writer

    def _open(self) -> None:
        try:
            writer = Writer(Mapping(self.directory, identity.own()))
        except OSError as error:
            self._ended = True
            directory, reason = self.config.blackbox[:200], error.strerror or error
            self.problem(
                f"POOLWITNESS_BLACKBOX={directory!r} cannot be used ({reason}), so nothing will survive a kill; give "
                "it a directory that this process may write to, with 3 MB of room"
            )
            return
        process = ProcessDocument.of_this_process(self.config, self.versions)
        writer.write(layout.PROCESS, writer.generation(), documents.dump(process, writer.stack))
        # Two threads may make their first pools at once.
        self._writer = self._writers.setdefault(self._pid, writer)
        if self._writer is not writer:
            writer.mapping.finish()
            writer.mapping.let_go()

    def _comparing(self, call: Callable[[TrackedConnection], None]) -> Callable[[TrackedConnection], None]:
        def compared(slot: TrackedConnection) -> None:
            self._notice_fork()
            call(slot)

        return compared

    def _notice_fork(self) -> None:
        if os.getpid() != self._pid:
            self.forked.append(1)

    def _leave_parent(self) -> None:
        """In a forked child: nothing goes into the parent's file any more."""
        self.forked.clear()
        self._pid = os.getpid()
        self.holding.reset(list(self.ledger.slots.values()))
        self.pools.reset()
        parents, self._writer, self._writers = self._writer, None, {}
        self._ended = False
        if parents is not None:
            parents.mapping.let_go()

    def _finish(self) -> None:
        self._notice_fork()
        if self.forked:
            self._leave_parent()
        self._ended = True
        writer, self._writer = self._writer, None
        if writer is not None:
            if os.name == "nt":  # the mapping has to be closed there
                self.holding.reset(list(self.ledger.slots.values()))
            writer.mapping.finish()

    # containment

    def give_up(self) -> None:
        """Remove the file: one that is not kept up would tell of connections that came back long ago."""
        try:
            self._finish()
        except Exception:  # noqa: BLE001 - a part has failed and has been told of
            self._ended = True

    def _failed(self, error: Exception) -> None:
        fail(self.part, type(error), error.__traceback__)
