"""See that the program is ending and cannot: the main thread is over, or asyncio.run is, and something is waited for.

Python joins the threads that are no daemons before it runs a single atexit callback, so nobody else would say it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from poolwitness.ledger.connections import TaskHolder, ThreadHolder
from poolwitness.ledger.pools import TrackedPool
from poolwitness.model.records import Ending
from poolwitness.snapshot.frames import current_frames
from poolwitness.snapshot.holders import ThreadFrames, of_task
from poolwitness.snapshot.take import status_of

_SHUTDOWN = getattr(getattr(threading, "_shutdown", None), "__code__", None)
MOST_LEFT_BEHIND = 100
_RUNNERS = os.path.join("asyncio", "runners.py")


class ShutdownProbe:
    """What the main thread waits for once it has nothing left to do, and since when."""

    def __init__(self) -> None:
        self.kind = ""
        self.since_mono = 0.0
        self._used_mono = 0.0
        self._requests: list[tuple[int, int]] = []
        # Async pools that the collector took from their workers: asyncio.run may wait for those all the same.
        self.left_behind: list[TrackedPool] = []

    def remember(self, entries: Iterable[TrackedPool]) -> list[TrackedPool]:
        """The pools that are gone and whose tasks are not.

        Args:
            entries: those known now, and those that were dropped since the last look.
        """
        known = dict.fromkeys([*self.left_behind, *entries])
        self.left_behind = [entry for entry in known if _has_tasks_left(entry)][:MOST_LEFT_BEHIND]
        return self.left_behind

    def look(self, entries: Iterable[TrackedPool]) -> Ending | None:
        """Where the main thread is past its last line, what it waits for.

        Args:
            entries: the pools; only with one that is open, or has a connection out, is there anything to say.
        """
        entries = [entry for entry in entries if not entry.inherited and (entry.state == "open" or entry.taken())]
        entries += self.left_behind
        frame = _main_frame()
        kind, loop = _stage(frame)
        del frame
        now_mono = time.monotonic()
        if kind != self.kind:
            self.kind, self.since_mono, self._used_mono = kind, now_mono, now_mono
            self._requests = _requests(entries)
        if not kind or not entries:
            return None
        requests = _requests(entries)
        if requests != self._requests or any(_is_at_work(entry) for entry in entries):
            self._used_mono = now_mono
        self._requests = requests
        waited = _tasks(entries, loop) if kind == "tasks" else _threads(entries)
        if not waited:
            return None
        name, where, entry = waited[0]
        open_pools = [entry for entry in entries if entry.state == "open"]
        if entry is None and len(open_pools) == 1:
            entry = open_pools[0]
        return Ending(
            kind=kind,
            since_mono=self.since_mono,
            seconds=now_mono - self.since_mono,
            quiet_s=now_mono - self._used_mono,
            waits_for=name,
            waits_for_pool=bool(entry is not None and kind == "tasks" and _is_worker(entry, name)),
            where=where,
            count=len(waited),
            pool_id=entry.id if entry is not None else 0,
            exception=_uncaught() if kind == "threads" else "",
        )


def _has_tasks_left(entry: TrackedPool) -> bool:
    if not entry.is_async or entry.inherited or entry.state != "dropped":
        return False
    return any((task := ref()) is not None and not task.done() for _, ref, _, _ in entry.threads)


def _main_frame() -> FrameType | None:
    return current_frames().get(threading.main_thread().ident or 0)


def _stage(frame: FrameType | None) -> tuple[str, Any]:
    """How far the end has come, and the loop whose tasks are waited for."""
    kind = ""
    while frame is not None:
        code = frame.f_code
        if code is _SHUTDOWN:
            return "threads", None
        if code.co_name == "_cancel_all_tasks":  # asyncio's, and uvloop's and anyio's copies of it
            return "tasks", frame.f_locals.get("loop")
        if code.co_name == "close" and code.co_filename.endswith(_RUNNERS):
            kind = "loop"
        frame = frame.f_back
    return kind, None


def has_threads_to_wait_for() -> bool:
    """Whether Python will wait for a thread before it runs atexit callbacks."""
    return bool(_not_daemons())


def _not_daemons() -> list[threading.Thread]:
    # Not enumerate(): it takes a lock that a thread of the program may have.
    active: dict[int, threading.Thread] = threading._active.copy()  # type: ignore[attr-defined]
    main = threading.main_thread()
    return [thread for thread in active.values() if thread is not main and not thread.daemon and thread.is_alive()]


Waited = tuple[str, Any, TrackedPool | None]


def _threads(entries: list[TrackedPool]) -> list[Waited]:
    """The threads that Python waits for, one that has a connection first."""
    holding = {
        slot.holder.ident: entry for entry in entries for slot in entry.taken() if isinstance(slot.holder, ThreadHolder)
    }
    standing = ThreadFrames()
    try:
        found = [
            (f"thread {thread.name!r}", standing.of_thread(thread.ident), holding.get(thread.ident or 0))
            for thread in _not_daemons()[:50]
        ]
    finally:
        standing.done()
    return sorted(found, key=lambda each: each[2] is None)


def _tasks(entries: list[TrackedPool], loop: Any) -> list[Waited]:
    """The tasks that were cancelled and go on, the pools' own first."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or loop is None:
        return []
    tasks = [task for task in asyncio.all_tasks(loop) if not task.done()]
    owners = {id(ref()): entry for entry in entries for _, ref, _, _ in entry.threads}
    for entry in entries:
        for slot in entry.out:
            if isinstance(slot.holder, TaskHolder):
                owners[id(slot.holder.task())] = entry
    found = [(f"task {task.get_name()!r}", of_task(task), owners.get(id(task))) for task in tasks[:50]]
    return sorted(found, key=lambda each: (each[2] is None, each[0]))


def _is_worker(entry: TrackedPool, name: str) -> bool:
    return any(name == f"task {known!r}" for _, _, known, _ in entry.threads)


def _requests(entries: list[TrackedPool]) -> list[tuple[int, int]]:
    return [(entry.id, entry.stats().get("requests_num", 0)) for entry in entries]


def _is_at_work(entry: TrackedPool) -> bool:
    return entry.stats().get("requests_waiting", 0) > 0 or any(status_of(slot) == "active" for slot in entry.taken())


def _uncaught() -> str:
    """The exception that ended the main thread, where one did: then nobody meant the program to live on."""
    error = getattr(sys, "last_value", None)
    return type(error).__name__ if error is not None else ""


_listeners: list[Callable[[], None]] = []
_registered: list[bool] = []


def when_main_thread_is_over(listener: Callable[[], None]) -> None:
    """Call *listener* in the main thread when that is over, before Python waits for any other.

    Asked again, it makes sure to be called before the thread pools of concurrent.futures are waited for, which wait in
    the same way: the last to register is the first to be called. An exception there would keep Python from waiting.

    Args:
        listener: called once at the most.
    """
    _listeners[:] = [listener]
    with_executors = "concurrent.futures.thread" in sys.modules
    register = getattr(threading, "_register_atexit", None)
    if register is None or with_executors in _registered or (_registered and not with_executors):
        return
    _registered.append(with_executors)
    try:
        register(_over)
    except RuntimeError:  # it is over already
        pass


def forget() -> None:
    """Call nobody any more."""
    _listeners.clear()


def _over() -> None:
    try:
        while _listeners:
            _listeners.pop()()
    except Exception:  # noqa: BLE001 - Python would go on without waiting for the program's threads
        pass
