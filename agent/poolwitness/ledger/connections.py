"""Who has a connection: a thread or an asyncio task, known weakly."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Container
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

from poolwitness.ledger.stacks import RawStack

if TYPE_CHECKING:
    from poolwitness.ledger.pools import TrackedConnection

# What the black box knows of a holder before it has written it: where to, the stack, and how that is written.
Boxed = tuple[Any, RawStack | None, bytes, int, int]
NOT_BOXED: Boxed = (None, None, b"", 0, 0)


class Running(NamedTuple):
    """Who runs now: a thread or, where gevent or eventlet has patched threading, a greenlet that passes for one."""

    ident: int
    thread: Any
    greenlet: Any
    name: str


def running() -> Running:
    """Who runs now.

    Without `threading.current_thread`, which makes a stand-in for what the threading module did not start: the program
    would see it.
    """
    ident = threading.get_ident()
    thread = threading._active.get(ident)  # type: ignore[attr-defined]
    greenlet = None
    # structlog loads greenlet wherever that is installed. Where nothing is patched it is not asked: while uWSGI ends a
    # worker, to ask for the current greenlet is a crash.
    if getattr(threading.get_ident, "__module__", "_thread") != "_thread":
        greenlets = sys.modules.get("greenlet")
        greenlet = greenlets.getcurrent() if greenlets is not None else None
        if id(greenlet) != ident:
            greenlet = None
    name = getattr(thread, "name", "") or getattr(greenlet, "name", "") or f"{ident:#x}"
    return Running(ident, thread, greenlet, str(name))


class ThreadHolder:
    """A thread that takes connections: made when it takes its first, kept in a thread-local."""

    __slots__ = ("boxed", "called_by", "greenlet", "ident", "last", "name", "taker", "thread")
    in_task = False

    def __init__(self) -> None:
        self.ident, thread, greenlet, self.name = running()
        self.thread = weakref.ref(thread) if thread is not None else None
        self.greenlet = weakref.ref(greenlet) if greenlet is not None else None
        # What it took last, to see it take a second while it has the first.
        self.last: TrackedConnection | None = None
        # The application's function that took it, and the one that called that.
        self.taker: CodeType | None = None
        self.called_by: CodeType | None = None
        self.boxed = NOT_BOXED

    def is_there(self, idents: Container[int]) -> bool:
        """Whether the thread has not ended.

        By the thread itself: an identifier is given again, and a name may be changed.

        Args:
            idents: of the threads that stand in a frame now; enough only for one that `threading` does not know, as
                the main thread stands in none for a moment before atexit runs.
        """
        if self.greenlet is not None:
            greenlet = self.greenlet()
            return greenlet is not None and not greenlet.dead
        if self.thread is None:
            return self.ident in idents
        # Not is_alive(): the main thread is told to have ended before atexit runs.
        thread = self.thread()
        return thread is not None and threading._active.get(self.ident) is thread  # type: ignore[attr-defined]


class TaskHolder:
    """An asyncio task that has a connection, known weakly."""

    __slots__ = ("boxed", "last", "name", "task")
    in_task = True

    def __init__(self, task: Any) -> None:
        self.task = weakref.ref(task)
        self.name = str(task.get_name())
        self.last: TrackedConnection | None = None
        self.boxed = NOT_BOXED

    def is_there(self, idents: Container[int]) -> bool:
        """Whether the task has not ended; threads have no say in it."""
        task = self.task()
        return task is not None and not task.done()


Holder = ThreadHolder | TaskHolder
