"""The observer that writes a black box: what the patches see is in a file before the program goes on.

It is called in the program's threads and takes no lock. A checkout or a return writes one record, see `checkouts`;
everything else writes the pool's document again, see `pools`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from poolwitness._version import __version__
from poolwitness.blackbox import documents, identity
from poolwitness.blackbox import format as layout
from poolwitness.blackbox.checkouts import CheckoutRecords
from poolwitness.blackbox.documents import ProcessDocument
from poolwitness.blackbox.file import BlackBoxFile
from poolwitness.blackbox.pools import PoolDocuments
from poolwitness.blackbox.writer import Writer
from poolwitness.config import Config
from poolwitness.guards import Guard, let_pass
from poolwitness.ledger.connections import TrackedConnection
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observer
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.stacks import RawStack
from poolwitness.model.records import PoolRecord, ProcessRecord, Snapshot

# Without these the file would no longer be kept up to date.
_NEEDED = frozenset({"blackbox", "checkouts", "pools"})


class BlackBoxRecorder(Observer):
    """What one process writes for `poolwitness postmortem`; the file is created when there is something to write.

    Args:
        config: the settings.
        ledger: where pools and connections are tracked.
        freeze: makes the record of a pool.
        versions: the installed releases.
        problem: called with one sentence if the file cannot be used.
        guard: contains what our lines raise.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        freeze: Callable[[TrackedPool], PoolRecord],
        versions: dict[str, tuple[int, ...]],
        problem: Callable[[str], None],
        guard: Guard,
    ) -> None:
        self.config = config
        self.directory = os.path.abspath(config.blackbox)  # the program may change its directory
        self.ledger = ledger
        self.versions = versions
        self.problem = problem
        self.guard = guard
        self.pools = PoolDocuments(freeze)
        self._pid = os.getpid()
        self._ended = False
        self._writer: Writer | None = None
        self._writers: dict[int, Writer] = {}
        self._sweep_generation = 0
        self.checkouts = CheckoutRecords(self.writer, self.pools.keep, ledger.forked)
        # uWSGI forks without running Python's hooks.
        self._compares_pids = "uwsgi" in sys.modules

    # pools

    def pool_created(self, pool: TrackedPool) -> None:
        if pool.life.opened_at is None:
            self._write(pool)

    def pool_opened(self, pool: TrackedPool) -> None:
        self._write(pool)

    pool_closed = pool_opened

    def pool_changed(self, pool: TrackedPool, change: str) -> None:
        if change not in ("opened_in_constructor", "used_after_close"):
            self._write(pool)

    def pool_collected(self, pool: TrackedPool) -> None:
        if self._writer is not None and not self.ledger.forked:
            self.pools.collected(self._writer, pool)

    def request_refused(self, pool: TrackedPool, error: BaseException, is_new: bool) -> None:
        if is_new:
            self._write(pool)

    def connection_failed(self, pool: TrackedPool, is_new: bool) -> None:
        # Once for each kind of error, and when connecting begins to fail again.
        if is_new or pool.id not in self.pools.failing:
            self._write(pool)

    def connection_made(self, pool: TrackedPool, seconds: float) -> None:
        if pool.id in self.pools.failing:
            self._write(pool)

    # checkouts and requests

    def checkout_taken(self, connection: TrackedConnection) -> None:
        if self._compares_pids:
            self._detect_fork()
        self.checkouts.taken(connection)

    def checkout_returned(self, connection: TrackedConnection) -> None:
        if self._compares_pids:
            self._detect_fork()
        self.checkouts.returned(connection)

    def connection_collected(self, connection: TrackedConnection) -> None:
        self.checkouts.collected(connection)

    def request_waiting(self, pool: Any, request: RawStack, holder: str, in_task: bool) -> tuple[int, int]:
        tracked = self.ledger.find(pool)
        if tracked is None or tracked.info is None:
            return 0, 0
        return self.checkouts.waiting(tracked, request, holder, in_task), self._pid

    def request_done(self, waiting: Any) -> None:
        at, pid = waiting
        if at:
            self.checkouts.done(at, pid)

    # the process

    def sweeping(self) -> None:
        # What is written after this is newer than the sweep's snapshot.
        writer = self._writer if not self.ledger.forked else None
        self._sweep_generation = writer.generation() if writer is not None else 0

    def swept(self, snapshot: Snapshot) -> None:
        if self._sweep_generation and (writer := self.writer()) is not None:
            writer.file.check()
            writer.file.anchor(snapshot.taken_mono, snapshot.taken_at)
            self.checkouts.swept(list(self.ledger.connections.values()))
            self.pools.swept(writer, self._sweep_generation, snapshot, self.ledger.entries())

    def forked(self) -> None:
        self._leave_parent()

    def verdict_given(self) -> None:
        """Everything that a dead process would leave to report was reported: remove the file."""
        self._finish()

    def component_failed(self, guard: Guard) -> None:
        """Remove the file: one that is not kept up to date would list connections that were returned long ago."""
        if guard.name in _NEEDED:
            self._finish()

    def discard(self) -> None:
        """The agent leaves the process."""
        writer = self._writer
        self._finish()
        if writer is not None:
            writer.file.release()

    # the file

    def writer(self) -> Writer | None:
        """The writer of this process, created when it is first needed; None if it cannot be, or has ended."""
        self._detect_fork()
        self._leave_parent()
        if self._writer is None and not self._ended:
            self._open()
        return self._writer

    def _write(self, pool: TrackedPool) -> None:
        if pool.info is not None and (writer := self.writer()) is not None:
            self.pools.write(writer, pool)

    def _open(self) -> None:
        try:
            writer = Writer(BlackBoxFile(self.directory, identity.own(), self._file_failed))
        except OSError as error:
            let_pass(error)
            self._ended = True
            advice = "give it a directory that this process may write to, with 3 MB of room"
            self._report("cannot be used", error, advice)
            return
        python = (sys.version_info.major, sys.version_info.minor, sys.version_info.micro)
        program = getattr(sys, "argv", None) or [""]
        process = ProcessRecord(os.getpid(), python, self.versions, argv0=program[0])
        document = ProcessDocument(process, __version__, self.config.held_s, self.config.ignore)
        writer.write(layout.PROCESS, writer.generation(), documents.dump(document, writer.stack))
        # Two threads may create their first pools at once.
        self._writer = None if self._ended else self._writers.setdefault(self._pid, writer)
        if self._writer is not writer:
            writer.file.finish()
            writer.file.release()

    def _file_failed(self, error: OSError) -> None:
        """The file can no longer be written: report that once, and go on without it."""
        if not self._ended:
            self._finish()
            self._report("can no longer be written", error, "leave its files alone while their processes run")

    def _report(self, what: str, error: OSError, advice: str) -> None:
        directory, reason = self.config.blackbox[:200], error.strerror or error
        self.problem(f"POOLWITNESS_BLACKBOX={directory!r} {what} ({reason}), so nothing will survive a kill; {advice}")

    def _detect_fork(self) -> None:
        if os.getpid() != self._pid and not self.ledger.forked:
            self.ledger.forked.append(1)

    def _leave_parent(self) -> None:
        """In a forked child: write nothing more into the parent's file."""
        if os.getpid() == self._pid:
            return
        self._pid = os.getpid()
        self.checkouts.reset(list(self.ledger.connections.values()))
        self.pools.reset()
        parents, self._writer, self._writers = self._writer, None, {}
        self._ended = False
        if parents is not None:
            parents.file.release()

    def _finish(self) -> None:
        self._leave_parent()
        self._ended = True
        writer, self._writer = self._writer, None
        if writer is not None:
            self.checkouts.reset(list(self.ledger.connections.values()))
            writer.file.finish()
