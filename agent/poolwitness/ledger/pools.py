"""Live state of one pool: changed in place by the patches, frozen into a record by `snapshot`."""

from __future__ import annotations

import os
import weakref
from operator import attrgetter
from typing import Any, NamedTuple

from poolwitness.ledger.connections import TrackedConnection, WorkerTask
from poolwitness.ledger.stacks import RawStack, resolve
from poolwitness.ledger.tallies import (
    ClosedUseTally,
    ConnectTally,
    CrossingTally,
    ExhaustionTally,
    FaultTally,
    UsageTally,
)
from poolwitness.model.locations import Frame, Stack
from poolwitness.model.records import PoolInfo, PoolLife
from poolwitness.model.startup import clock


class PoolRef(weakref.ref):  # type: ignore[type-arg]  # generic only in the stubs
    """A weak reference to a pool that knows its tracked pool, so that a finalizer need not look anything up."""

    __slots__ = ("pool",)
    pool: TrackedPool


class Creation:
    """Where a pool was created; its stack is looked up once, when it is first asked for."""

    __slots__ = ("_raw", "_skip", "_stack", "at", "django_alias", "django_settings", "runner")

    def __init__(
        self, raw: RawStack, skip: frozenset[int], runner: str, django_alias: str, django_settings: Frame | None
    ) -> None:
        self._raw = raw
        self._skip = skip
        self._stack: Stack | None = None
        self.at = clock.now()
        self.runner = runner
        # For which of its databases Django created it, and the line of its settings.
        self.django_alias = django_alias
        self.django_settings = django_settings

    @property
    def stack(self) -> Stack:
        """The stack, with the application's line as its origin."""
        if self._stack is None:
            stack = resolve(self._raw, self._skip)
            if self.django_settings is not None and (stack.origin is None or stack.origin.kind != "application"):
                stack = Stack(stack.frames, self.django_settings)
            self._stack = stack
            self._raw, self._skip = (), frozenset()
        return self._stack


class Life:
    """How far a pool's life has come."""

    __slots__ = (
        "close_s",
        "closed_at",
        "closed_from",
        "closing",
        "dropped",
        "inherited",
        "loop",
        "open_confirmed",
        "open_error",
        "open_explicit",
        "open_threads",
        "opened_at",
        "opened_from",
        "opened_in",
        "opened_in_constructor",
    )

    def __init__(self) -> None:
        self.opened_at: float | None = None
        self.opened_from: RawStack | None = None
        # The event loop that it was opened on, for people, and a weak reference to it; None for a sync pool.
        self.opened_in = ""
        self.loop: Any = None
        self.opened_in_constructor = False
        self.open_explicit = False
        self.open_confirmed = False
        self.open_threads: set[int] = set()
        self.open_error = ""
        self.closing = False
        self.closed_at: float | None = None
        self.closed_from: RawStack | None = None
        self.close_s: float | None = None
        self.dropped = False
        self.inherited = False

    @property
    def state(self) -> str:
        """``new``, ``open``, ``closing``, ``closed`` or ``dropped``."""
        if self.closed_at is not None:
            return "closed"
        if self.closing:
            return "closing"
        if self.opened_at is None:
            return "new"
        return "dropped" if self.dropped else "open"

    def freeze(self, retained_by: str) -> PoolLife:
        """The record of it; *retained_by* is the path of references that keeps the pool alive."""
        return PoolLife(
            state=self.state,
            inherited=self.inherited,
            opened_at=self.opened_at,
            opened=resolve(self.opened_from) if self.opened_from else None,
            opened_in_constructor=self.opened_in_constructor,
            open_explicit=self.open_explicit,
            open_confirmed=self.open_confirmed,
            opened_by_threads=len(self.open_threads),
            open_error=self.open_error,
            closed_at=self.closed_at,
            closed=resolve(self.closed_from) if self.closed_from else None,
            close_s=self.close_s,
            retained_by=retained_by,
        )


class PoolRunner(NamedTuple):
    """A thread or task that a pool runs on: a worker or its scheduler; ``ref`` is a weak reference to it."""

    role: str
    ref: Any
    name: str
    native_id: int | None


class TrackedPool:
    """What is known of one pool. ``info`` is None until its constructor has returned."""

    __slots__ = (
        "adapters",
        "announced_closed",
        "announced_open",
        "connections",
        "connects",
        "creation",
        "crossed_fork",
        "crossed_loops",
        "exhaustion",
        "faults",
        "finalizer_notice",
        "id",
        "info",
        "last_stats",
        "life",
        "lost",
        "max_size",
        "min_size",
        "object_id",
        "pid",
        "ref",
        "retained_by",
        "runners",
        "thread_samples",
        "unaccounted",
        "unaccounted_looks",
        "usage",
        "use_after_close",
        "worker_errors",
        "worker_tasks",
    )

    def __init__(self, pool: Any, creation: Creation) -> None:
        self.id = 0
        self.ref: Any = None
        self.object_id = id(pool)
        self.pid = os.getpid()
        self.creation = creation
        self.info: PoolInfo | None = None
        # resize() changes them.
        self.min_size = 0
        self.max_size: int | None = None
        self.life = Life()
        self.announced_open = self.announced_closed = False
        self.last_stats: dict[str, int] = {}
        self.usage = UsageTally()
        self.connections: dict[int, TrackedConnection] = {}
        self.lost: list[TrackedConnection] = []
        self.unaccounted = self.unaccounted_looks = 0
        self.runners: tuple[PoolRunner, ...] = ()
        # What its workers run now, by the id of the thread or asyncio task.
        self.worker_tasks: dict[int, WorkerTask] = {}
        # By the worker's name: the exception that it died of, its class and its text.
        self.worker_errors: dict[str, tuple[str, Frame | None]] | None = None
        self.thread_samples: dict[int, Any] | None = None
        self.connects: ConnectTally | None = None
        self.exhaustion: ExhaustionTally | None = None
        # By kind and lines.
        self.faults: dict[tuple[Any, ...], FaultTally] | None = None
        self.adapters: list[tuple[RawStack, int]] | None = None
        self.use_after_close: ClosedUseTally | None = None
        self.crossed_fork: CrossingTally | None = None
        self.crossed_loops: CrossingTally | None = None
        self.retained_by = ""
        # Called by the pool's finalizer while the interpreter ends; prepared by the verdict.
        self.finalizer_notice: Any = None

    @property
    def name(self) -> str:
        """The pool's name; empty until its constructor has returned."""
        return self.info.name if self.info is not None else ""

    @property
    def is_async(self) -> bool:
        """Whether it is an async pool."""
        return self.info is not None and self.info.is_async

    @property
    def origin(self) -> Frame | None:
        """The application's line that created the pool."""
        return self.creation.stack.origin

    @property
    def state(self) -> str:
        """``new``, ``open``, ``closing``, ``closed`` or ``dropped``."""
        return self.life.state

    @property
    def inherited(self) -> bool:
        """Whether it was opened in a process that this one was forked from."""
        return self.life.inherited

    def checkouts(self) -> list[TrackedConnection]:
        """The connections that are checked out, longest held first."""
        return sorted(self.taken(), key=_TAKEN_MONO)

    def taken(self) -> list[TrackedConnection]:
        """The same in no order."""
        return [each for each in self.connections.copy().values() if each.taken_from is not None]

    def count_taken(self) -> int:
        """How many connections are checked out; one that was garbage-collected may not be known as lost yet."""
        return sum(
            1 for each in self.connections.copy().values() if each.taken_from is not None and each.ref() is not None
        )

    def note_peak(self) -> None:
        """Update how many connections were checked out at once."""
        is_null = self.info is not None and self.info.is_null
        attempts = self.connects.attempts if self.connects is not None else None
        self.usage.note_peak(self.ref(), is_null, self.count_taken(), len(self.lost), attempts)

    def stats(self) -> dict[str, int]:
        """The pool's counters now or, when it is gone, as last seen."""
        pool = self.ref()
        if pool is not None:
            # The counters by themselves: the application may have overridden get_stats().
            counters = getattr(pool, "_stats", None)
            if counters is not None:
                self.last_stats = {
                    **{str(key): int(value) for key, value in list(counters.items())},
                    "pool_size": int(getattr(pool, "_nconns", 0)),
                    "pool_available": len(getattr(pool, "_pool", ())),
                    "requests_waiting": _still_waiting(pool),
                }
        return self.last_stats


_TAKEN_MONO = attrgetter("taken_mono")


def _still_waiting(pool: Any) -> int:
    # The pool's own number includes requests that timed out, until the next return.
    waiting = list(getattr(pool, "_waiting", ()))
    return sum(1 for client in waiting if client.conn is None and client.error is None)
