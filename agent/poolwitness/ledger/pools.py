"""What was seen of one pool, and of one connection: changed in place by the observers, read by the recorder."""

from __future__ import annotations

import os
import time
import weakref
from operator import attrgetter
from typing import Any

from poolwitness.ledger.connections import Holder
from poolwitness.ledger.stacks import RawStack, resolve
from poolwitness.model.locations import Database, Frame, Stack


class PoolRef(weakref.ref):  # type: ignore[type-arg]  # generic only in the stubs
    """A weak reference that knows its entry, so that a finalizer need not look anything up."""

    __slots__ = ("entry",)
    entry: TrackedPool


class ConnectionRef(weakref.ref):  # type: ignore[type-arg]  # generic only in the stubs
    """A weak reference to a connection that knows its slot."""

    __slots__ = ("slot",)
    slot: TrackedConnection


class TrackedConnection:
    """One connection of a pool: made when it is first taken, used again each time it is; ``raw`` is None when in."""

    __slots__ = (
        "active_mono",
        "box",
        "entry",
        "held_s",
        "holder",
        "id",
        "kept_by",
        "lost_from_open",
        "object_id",
        "raw",
        "ref",
        "suspected",
        "taken_mono",
    )

    def __init__(self, object_id: int, entry: TrackedPool, number: int) -> None:
        self.id = number
        self.object_id = object_id
        self.ref: Any = None
        self.entry = entry
        self.raw: RawStack | None = None
        self.taken_mono = 0.0
        self.held_s = 0.0
        self.holder: Holder | None = None
        # The rule that suspects it, so that its return takes that back.
        self.suspected = ""
        self.lost_from_open = False
        self.kept_by = ""
        self.active_mono = 0.0
        # Where in the black box it is recorded; 0 before it is.
        self.box = 0


class WorkerTask:
    """One task of one worker of a pool, while the worker is at it."""

    __slots__ = ("entry", "id", "over_mono", "runner_id", "started_mono", "suspected", "task")

    def __init__(self, number: int, entry: TrackedPool, runner_id: int, task: str, started_mono: float) -> None:
        self.id = number
        self.entry = entry
        # Of the thread or task: the name is not the worker's alone.
        self.runner_id = runner_id
        self.task = task
        self.started_mono = started_mono
        self.over_mono = 0.0
        self.suspected = False


class TrackedPool:
    """What was seen of one pool; changed in place by the observers, copied into a PoolRecord for everybody else."""

    __slots__ = (
        "adapters",
        "close_s",
        "closed_at",
        "closed_by",
        "closing",
        "cls",
        "connects",
        "crossed_fork",
        "crossed_loops",
        "django_alias",
        "dropped",
        "exhaustion",
        "fewest_in",
        "has_check",
        "has_reset",
        "id",
        "incidents",
        "inherited",
        "is_async",
        "is_null",
        "kept_by",
        "last_stats",
        "late",
        "longest_held_by",
        "longest_held_s",
        "longest_wait_s",
        "loop",
        "lost",
        "made",
        "made_at",
        "made_before",
        "made_in",
        "made_settings",
        "made_skip",
        "made_stack",
        "max_size",
        "min_size",
        "name",
        "num_workers",
        "object_id",
        "open_confirmed",
        "open_error",
        "open_explicit",
        "open_threads",
        "opened_at",
        "opened_by",
        "opened_in",
        "opened_in_constructor",
        "peak",
        "pid",
        "ref",
        "samples",
        "slots",
        "stints",
        "target",
        "threads",
        "told_closed",
        "told_opened",
        "unaccounted",
        "unaccounted_looks",
        "use_after_close",
        "worker_errors",
    )

    def __init__(self, pool: Any, raw: RawStack, skip: frozenset[int], made_in: str) -> None:
        self.id = 0
        self.ref: Any = None
        self.object_id = id(pool)
        self.cls = ""
        self.name = ""
        self.is_async = False
        self.is_null = False
        self.made = raw
        self.made_skip = skip
        self.made_stack: Stack | None = None
        # Where Django made it: for which of its databases, and the line of its settings.
        self.django_alias = ""
        self.made_settings: Frame | None = None
        self.made_at = time.time()
        self.made_in = made_in
        self.min_size = 0
        self.max_size: int | None = None
        self.num_workers = 0
        self.target = Database()
        self.pid = os.getpid()
        self.inherited = False
        self.has_check = False
        self.has_reset = False
        self.opened_at: float | None = None
        self.opened_by: RawStack | None = None
        self.opened_in = ""
        # A weak reference to the event loop; None for a sync pool.
        self.loop: Any = None
        self.opened_in_constructor = False
        self.open_explicit = False
        self.open_confirmed = False
        self.open_threads: set[int] = set()
        self.open_error = ""
        self.closed_at: float | None = None
        self.closing = False
        self.closed_by: RawStack | None = None
        self.close_s: float | None = None
        self.dropped = False
        self.last_stats: dict[str, int] = {}
        # (role, weak reference to the thread or task, name, native id)
        self.threads: tuple[tuple[str, Any, str, int | None], ...] = ()
        self.samples: dict[int, Any] = {}
        self.worker_errors: dict[str, tuple[str, str]] = {}
        self.kept_by = ""
        self.use_after_close: list[Any] | None = None
        self.told_opened = False
        self.told_closed = False
        self.late: Any = None
        self.slots: dict[int, TrackedConnection] = {}
        # What its workers are at, by the thread or task.
        self.stints: dict[int, WorkerTask] = {}
        self.lost: list[TrackedConnection] = []
        self.peak = 0
        self.fewest_in = 0
        self.made_before: tuple[int, ...] = ()
        self.longest_wait_s = 0.0
        self.longest_held_s = 0.0
        self.longest_held_by: RawStack | None = None
        self.connects: Any = None
        # (kind, lines) -> [taken, at, holder, held_s, count]
        self.incidents: dict[tuple[Any, ...], list[Any]] = {}
        # [episode, error type, request, waited_s, holder, count, last_mono]
        self.exhaustion: list[Any] | None = None
        self.adapters: list[tuple[RawStack, int]] = []
        self.unaccounted = 0
        self.unaccounted_looks = 0
        # [stack, how, count, what runs the program, the loop it was opened on, the loop it was used on, ended]
        self.crossed_fork: list[Any] | None = None
        self.crossed_loops: list[Any] | None = None

    @property
    def out(self) -> list[TrackedConnection]:
        """The connections between getconn and putconn, longest held first."""
        return sorted(self.taken(), key=_TAKEN_MONO)

    def taken(self) -> list[TrackedConnection]:
        """The same in no order."""
        return [slot for slot in self.slots.copy().values() if slot.raw is not None]

    def count_out(self) -> int:
        """How many connections are out; one that was garbage-collected may not have been taken in as lost yet."""
        return sum(1 for slot in self.slots.copy().values() if slot.raw is not None and slot.ref() is not None)

    def note_peak(self) -> None:
        """Take in how many connections were out at once.

        The pool keeps the fewest that were in: that says how many were out where it had them all at both looks and
        has made none in between.
        """
        pool, connects = self.ref(), self.connects
        seen = self.count_out()
        if pool is not None and connects is not None and not self.is_null:
            size, fewest_in, lost = getattr(pool, "_nconns", 0), getattr(pool, "_nconns_min", 0), len(self.lost)
            complete = size == len(pool._pool) + seen + lost
            made = (size, connects.attempts, lost) if complete else ()
            if complete and made == self.made_before and fewest_in < self.fewest_in:
                seen = max(seen, size - fewest_in - lost)
            self.made_before, self.fewest_in = made, fewest_in
        self.peak = max(self.peak, seen)

    @property
    def stack(self) -> Stack:
        """Where the pool was made, named once."""
        if self.made_stack is None:
            stack = resolve(self.made, self.made_skip)
            if self.made_settings is not None and (stack.origin is None or stack.origin.kind != "application"):
                stack = Stack(stack.frames, self.made_settings)
            self.made_stack = stack
            self.made, self.made_skip = (), frozenset()
        return self.made_stack

    @property
    def origin(self) -> Frame | None:
        """The application's line that made the pool."""
        return self.stack.origin

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

    def stats(self) -> dict[str, int]:
        """The pool's counters now, or as last seen."""
        pool = self.ref()
        if pool is not None:
            # The counters by themselves: get_stats() may be overridden by the application.
            base = getattr(pool, "_stats", None)
            if base is not None:
                self.last_stats = {
                    **{str(key): int(value) for key, value in list(base.items())},
                    "pool_size": int(getattr(pool, "_nconns", 0)),
                    "pool_available": len(getattr(pool, "_pool", ())),
                    "requests_waiting": _still_waiting(pool),
                }
        return self.last_stats


_TAKEN_MONO = attrgetter("taken_mono")


def _still_waiting(pool: Any) -> int:
    # The pool's own count goes on counting requests that timed out, until the next return.
    waiting = list(getattr(pool, "_waiting", ()))
    return sum(1 for client in waiting if client.conn is None and client.error is None)
