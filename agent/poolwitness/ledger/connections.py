"""Live state of one connection of a pool, and who holds it: a thread, a greenlet or an asyncio task, known weakly."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Container
from types import CodeType
from typing import Any, NamedTuple

from poolwitness.ledger.stacks import RawStack

# What the black box keeps beside a holder: the buffer, the stack, the name as bytes, the stack's number, the state.
Boxed = tuple[Any, RawStack | None, bytes, int, int]
NOT_BOXED: Boxed = (None, None, b"", 0, 0)


class ConnectionRef(weakref.ref):  # type: ignore[type-arg]  # generic only in the stubs
    """A weak reference to a connection that knows its tracked connection."""

    __slots__ = ("connection",)
    connection: TrackedConnection


class TrackedConnection:
    """One connection of a pool: created at its first checkout and used again at each later one.

    ``taken_from`` is the stack of the checkout, and None while the connection is in its pool.
    """

    __slots__ = (
        "active_mono",
        "box",
        "held_s",
        "holder",
        "id",
        "loop",
        "lost_from_open",
        "object_id",
        "pool",
        "ref",
        "retained_by",
        "suspected",
        "taken_from",
        "taken_mono",
        "usage",
    )

    def __init__(self, object_id: int, pool: Any, number: int) -> None:
        self.id = number
        self.object_id = object_id
        self.ref: Any = None
        # The TrackedPool that it belongs to, which `pools` defines.
        self.pool = pool
        # The pool's, for the hot path: its usage, and a weak reference to the loop that it was opened on.
        self.usage = pool.usage
        self.loop = pool.life.loop
        self.taken_from: RawStack | None = None
        self.taken_mono = 0.0
        self.held_s = 0.0
        self.holder: Holder | None = None
        # The confidence of a finding that its return resolves; empty without one.
        self.suspected = ""
        self.lost_from_open = False
        self.retained_by = ""
        self.active_mono = 0.0
        # The offset of its record in the black box; 0 before it has one.
        self.box = 0


class WorkerTask:
    """One task of one worker of a pool, while the worker runs it."""

    __slots__ = ("ended_mono", "id", "name", "pool", "started_mono", "suspected", "worker_id")

    def __init__(self, number: int, pool: Any, worker_id: int, name: str, started_mono: float) -> None:
        self.id = number
        self.pool = pool
        # Of the thread or asyncio task: another worker may have the same name.
        self.worker_id = worker_id
        self.name = name
        self.started_mono = started_mono
        self.ended_mono = 0.0
        self.suspected = False


class Running(NamedTuple):
    """What runs now: a thread or, if gevent or eventlet has patched threading, a greenlet in its place."""

    ident: int
    thread: Any
    greenlet: Any
    name: str


def running() -> Running:
    """The thread or greenlet that runs now.

    Without `threading.current_thread`, which creates a dummy thread for what the threading module did not start: the
    program would see it.
    """
    ident = threading.get_ident()
    thread = threading._active.get(ident)  # type: ignore[attr-defined]
    greenlet = None
    # structlog loads greenlet wherever it is installed. If nothing is patched it is not asked: while uWSGI ends a
    # worker, asking for the current greenlet crashes.
    if getattr(threading.get_ident, "__module__", "_thread") != "_thread":
        greenlets = sys.modules.get("greenlet")
        greenlet = greenlets.getcurrent() if greenlets is not None else None
        if id(greenlet) != ident:
            greenlet = None
    name = getattr(thread, "name", "") or getattr(greenlet, "name", "") or f"{ident:#x}"
    return Running(ident, thread, greenlet, str(name))


def current_task() -> Any:
    """The asyncio task that runs now; None outside an event loop. Imports nothing."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        return asyncio.current_task()
    except RuntimeError:  # no running loop
        return None


def holder_name() -> str:
    """The name of the task that runs now or, outside an event loop, of the thread."""
    task = current_task()
    return str(task.get_name()) if task is not None else running().name


def runner_name() -> str:
    """For example ``MainThread``, or ``MainThread, task Task-1``."""
    task = current_task()
    return f"{running().name}, task {task.get_name()}" if task is not None else running().name


class ThreadHolder:
    """A thread that checks out connections: created at its first checkout, kept in a thread-local."""

    __slots__ = ("boxed", "called_by", "greenlet", "ident", "last", "name", "taker", "thread")
    in_task = False

    def __init__(self) -> None:
        self.ident, thread, greenlet, self.name = running()
        self.thread = weakref.ref(thread) if thread is not None else None
        self.greenlet = weakref.ref(greenlet) if greenlet is not None else None
        # Its latest checkout: a second one beside it is nested.
        self.last: TrackedConnection | None = None
        # The application's function that checked out last, and its caller.
        self.taker: CodeType | None = None
        self.called_by: CodeType | None = None
        self.boxed = NOT_BOXED

    def is_alive(self, idents: Container[int]) -> bool:
        """Whether the thread has not ended.

        By the thread itself: an identifier is given again, and a name may be changed.

        Args:
            idents: of the threads that have a frame now; enough only for one that `threading` does not know, since the
                main thread has none for a moment before atexit runs.
        """
        if self.greenlet is not None:
            greenlet = self.greenlet()
            return greenlet is not None and not greenlet.dead
        if self.thread is None:
            return self.ident in idents
        # Not Thread.is_alive(): threading marks the main thread as ended before atexit runs.
        thread = self.thread()
        return thread is not None and threading._active.get(self.ident) is thread  # type: ignore[attr-defined]


class TaskHolder:
    """An asyncio task that checks out connections: created at its first checkout."""

    __slots__ = ("boxed", "called_by", "last", "name", "taker", "task")
    in_task = True

    def __init__(self, task: Any) -> None:
        self.task = weakref.ref(task)
        self.name = str(task.get_name())
        self.last: TrackedConnection | None = None
        self.taker: CodeType | None = None
        self.called_by: CodeType | None = None
        self.boxed = NOT_BOXED

    def is_alive(self, idents: Container[int]) -> bool:
        """Whether the task has not ended; *idents* is there for `ThreadHolder` only."""
        task = self.task()
        return task is not None and not task.done()


Holder = ThreadHolder | TaskHolder


def is_same_holder(one: Holder | None, other: Holder | None) -> bool:
    """Whether two checkouts have the same holder."""
    if isinstance(one, TaskHolder) and isinstance(other, TaskHolder):
        return one.task() is other.task()
    return one is other
