"""What the observers tell, and what is done about it; nothing here runs in a finalizer or under a lock of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poolwitness.guards import Guard
from poolwitness.later import Later
from poolwitness.ledger import fork as forks
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedConnection, TrackedPool, WorkerTask
from poolwitness.ledger.stacks import RawStack

if TYPE_CHECKING:
    from poolwitness.runtime.lifecycle_events import LifecycleEvents
    from poolwitness.runtime.sweep import SweepScheduler
    from poolwitness.stages import Stages
    from poolwitness.telling import Telling


class Hearing:
    """The listener of every observer; called in the host's thread.

    Args:
        later: what tells of it, loaded before the first pool is known.
        ledger: where pools are kept.
    """

    def __init__(self, later: Later, ledger: Ledger) -> None:
        self.later = later
        self.ledger = ledger

    @property
    def telling(self) -> Telling:
        """What tells of pools."""
        assert self.later.telling is not None, "a pool is known that was not announced"
        return self.later.telling

    @property
    def stages(self) -> Stages:
        """Its stages."""
        return self.telling.stages

    @property
    def announcer(self) -> LifecycleEvents:
        """Says what is worth a line of its own."""
        return self.telling.announcer

    @property
    def looking(self) -> SweepScheduler:
        """Has pools looked at while there is a need."""
        return self.telling.looking

    def take_in(self) -> None:
        """Make the ledger this process's own and current."""
        if self.later.telling is not None:
            self.later.telling.take_in()

    def about_to_create(self) -> bool:
        """A pool is about to be made; whether it can be told of."""
        if self.later.load() is None:
            return False
        self.take_in()
        self.ledger.count("created")
        self.announcer.started()
        return True

    def keep(self, entry: TrackedPool) -> None:
        """Have a kill find this pool as it is now."""
        if self.stages.blackbox is not None:
            self.stages.blackbox.pool(entry)

    def made(self, entry: TrackedPool) -> None:
        """A pool has been made; the opening of one that is open is yet to be announced."""
        if entry.opened_at is None:
            self.keep(entry)

    def opened(self, entry: TrackedPool) -> None:
        """A pool has been opened; the call that opened it has yet to return.

        Nothing here lets go of the interpreter for a sync pool: its workers would run a moment earlier than they
        do without the agent, and a pool that is dropped at once would be finalized by one of them.
        """
        self.ledger.count("opened")
        self.keep(entry)
        self.announcer.opened_later.append(entry)
        if entry.is_async:
            with self.stages.parts["sweeper"]:
                self.looking.start(entry)
            self.take_in()
        self.stages.inspector.notice_crowd(entry)

    def about_to_open(self, is_async: bool) -> None:
        """A pool is about to be opened: the time to start a thread, which lets go of the interpreter."""
        if self.later.telling is None:  # a pool that is older than the agent
            return
        forks.notice(self.ledger.pid)
        if self.ledger.forked:
            self.take_in()
        if not is_async and not self.looking.over:
            with self.stages.parts["sweeper"]:
                self.looking.start(None)

    def closed(self, entry: TrackedPool) -> None:
        """A pool has been closed."""
        self.take_in()
        self.keep(entry)
        if entry.inherited:
            return
        self.ledger.count("closed")
        # What it lost since the last look must be told now: the pool may be gone before there is another.
        if entry.use_after_close is not None or entry.is_async or entry.lost:
            self.stages.inspector.look("event", [entry])
        if not entry.is_async:
            self.looking.end_idle_sweeper()
        self.announcer.closed(entry)

    def used_after_close(self, entry: TrackedPool) -> None:
        """PoolClosed was raised; the closing may not be over yet, and then tells it itself."""
        self.take_in()
        if entry.closed_at is not None:
            self.stages.inspector.look("event", [entry])

    def crossed(self, entry: TrackedPool) -> None:
        """A pool is used in another process, or on another loop, than the one it was opened in."""
        self.keep(entry)
        self.announcer.started()
        self.stages.inspector.look("event", [entry])

    def opened_in_constructor(self, entry: TrackedPool) -> None:
        """An async pool was opened by its constructor, on purpose."""
        self.stages.inspector.look("event", [entry])

    def worker_died(self, entry: TrackedPool) -> None:
        """A worker is dying, and this is its thread."""
        self.look_at(entry)

    def open_failed(self, entry: TrackedPool) -> None:
        """A pool could not be opened."""
        self.look_at(entry)

    def connect_failed(self, entry: TrackedPool, new: bool) -> None:
        """A connection could not be made; each kind of error is told once."""
        self.take_in()
        if self.stages.blackbox is not None:
            self.stages.blackbox.connect_failed(entry, new)
        if new and not entry.inherited and entry.name:
            self.stages.inspector.look("event", [entry])

    def connected(self, entry: TrackedPool, seconds: float) -> None:
        """A connection was made; slow ones are told by the next look."""
        if self.stages.blackbox is not None:
            self.stages.blackbox.connected(entry)
        if self.stages.telemetry is not None:
            self.stages.telemetry.timings.connected(entry, seconds)

    def adapters_repeated(self, entry: TrackedPool, line: RawStack, count: int) -> None:
        """A line registers the same adapters on checkout after checkout."""
        entry.adapters.append((line, count))
        self.look_at(entry)

    def look_at(self, entry: TrackedPool) -> None:
        """Something happened to one pool."""
        self.take_in()
        self.keep(entry)
        if not entry.inherited:
            self.stages.inspector.look("event", [entry], with_standing=True)

    def came_back(self, slot: TrackedConnection) -> None:
        """A suspected connection was returned."""
        self.stages.inspector.came_back(slot)

    def worker_came_back(self, stint: WorkerTask) -> None:
        """A suspected worker has come out of its task."""
        self.stages.inspector.worker_came_back(stint)

    def picture(self, entry: TrackedPool) -> str:
        """The note for a request that was refused."""
        return self.stages.inspector.picture(entry)

    def error_text(self, pool: Any, error: BaseException) -> str:
        """An exception's text without secrets, for a report."""
        return self.telling.error_text(pool, error)

    def part_failed(self, part: Guard) -> None:
        """A part of the agent has failed and is off now; before there is anything that tells, it is told with that."""
        if self.later.telling is not None:
            self.stages.tell_failure(part)
