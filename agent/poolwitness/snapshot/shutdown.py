"""Detect that the program cannot end: the main thread or asyncio.run is over and waits for something.

Python joins the threads that are not daemons before it runs any atexit callback, so nothing else would report it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from types import FrameType
from typing import Any

from poolwitness.ledger.connections import TaskHolder, ThreadHolder
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.stacks import current_frames, raised_at
from poolwitness.model.records import Ending
from poolwitness.model.startup import clock
from poolwitness.snapshot.holders import ThreadFrames, of_task
from poolwitness.snapshot.take import status_of

_SHUTDOWN = getattr(getattr(threading, "_shutdown", None), "__code__", None)
MOST_LEFT_BEHIND = 100
_RUNNERS = os.path.join("asyncio", "runners.py")


class ShutdownProbe:
    """What the main thread waits for at its end, and since when."""

    def __init__(self) -> None:
        self.kind = ""
        self.since_mono = 0.0
        self._used_mono = 0.0
        self._requests: list[tuple[int, int]] = []
        # Async pools that were collected while their workers go on: asyncio.run may wait for those.
        self.left_behind: list[TrackedPool] = []

    def remember(self, pools: Iterable[TrackedPool]) -> list[TrackedPool]:
        """The pools that were collected while their tasks go on; *pools* are the known and the newly dropped ones."""
        known = dict.fromkeys([*self.left_behind, *pools])
        self.left_behind = [pool for pool in known if _has_tasks_left(pool)][:MOST_LEFT_BEHIND]
        return self.left_behind

    def check(self, pools: Iterable[TrackedPool]) -> Ending | None:
        """What the main thread waits for after its last line; None if no pool is open or has a checkout."""
        pools = [pool for pool in pools if not pool.inherited and (pool.state == "open" or pool.taken())]
        pools += self.left_behind
        frame = _main_frame()
        kind, loop = _stage(frame)
        del frame
        now_mono = clock.monotonic()
        if kind != self.kind:
            self.kind, self.since_mono, self._used_mono = kind, now_mono, now_mono
            self._requests = _requests(pools)
        if not kind or not pools:
            return None
        requests = _requests(pools)
        if requests != self._requests or any(_is_at_work(pool) for pool in pools):
            self._used_mono = now_mono
        self._requests = requests
        waited = _tasks(pools, loop) if kind == "tasks" else _threads(pools)
        if not waited:
            return None
        name, where, pool = waited[0]
        open_pools = [pool for pool in pools if pool.state == "open"]
        if pool is None and len(open_pools) == 1:
            pool = open_pools[0]
        error: BaseException | None = getattr(sys, "last_value", None) if kind == "threads" else None
        return Ending(
            kind=kind,
            since_mono=self.since_mono,
            seconds=max(0.0, now_mono - self.since_mono),
            quiet_s=max(0.0, now_mono - self._used_mono),
            waits_for=name,
            waits_for_pool=bool(pool is not None and kind == "tasks" and _is_worker(pool, name)),
            where=where,
            count=len(waited),
            pool_id=pool.id if pool is not None else 0,
            # What ended the main thread, if anything did: then the program was not meant to live on.
            exception=type(error).__name__ if error is not None else "",
            raised_at=raised_at(error) if error is not None else None,
        )


def _has_tasks_left(pool: TrackedPool) -> bool:
    if not pool.is_async or pool.inherited or pool.state != "dropped":
        return False
    return any((task := runner.ref()) is not None and not task.done() for runner in pool.runners)


def _main_frame() -> FrameType | None:
    return current_frames().get(threading.main_thread().ident or 0)


def _stage(frame: FrameType | None) -> tuple[str, Any]:
    """What the main thread waits for, and the loop if it is tasks."""
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
    """Whether Python waits for a thread before it runs atexit callbacks."""
    return bool(_not_daemons())


def _not_daemons() -> list[threading.Thread]:
    # Not enumerate(): it takes a lock that a thread of the program may hold.
    active: dict[int, threading.Thread] = threading._active.copy()  # type: ignore[attr-defined]
    main = threading.main_thread()
    return [thread for thread in active.values() if thread is not main and not thread.daemon and thread.is_alive()]


Waited = tuple[str, Any, TrackedPool | None]


def _threads(pools: list[TrackedPool]) -> list[Waited]:
    """The threads that Python waits for, one that has a connection first."""
    holding = {
        connection.holder.ident: pool
        for pool in pools
        for connection in pool.taken()
        if isinstance(connection.holder, ThreadHolder)
    }
    frames = ThreadFrames()
    try:
        found = [
            (f"thread {thread.name!r}", frames.of_thread(thread.ident), holding.get(thread.ident or 0))
            for thread in _not_daemons()[:50]
        ]
    finally:
        frames.release()
    return sorted(found, key=lambda each: each[2] is None)


def _tasks(pools: list[TrackedPool], loop: Any) -> list[Waited]:
    """The tasks that were cancelled and go on, those of pools first."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or loop is None:
        return []
    tasks = [task for task in asyncio.all_tasks(loop) if not task.done()]
    owners = {id(runner.ref()): pool for pool in pools for runner in pool.runners}
    for pool in pools:
        for connection in pool.checkouts():
            if isinstance(connection.holder, TaskHolder):
                owners[id(connection.holder.task())] = pool
    found = [(f"task {task.get_name()!r}", of_task(task), owners.get(id(task))) for task in tasks[:50]]
    return sorted(found, key=lambda each: (each[2] is None, each[0]))


def _is_worker(pool: TrackedPool, name: str) -> bool:
    return any(name == f"task {runner.name!r}" for runner in pool.runners)


def _requests(pools: list[TrackedPool]) -> list[tuple[int, int]]:
    return [(pool.id, pool.stats().get("requests_num", 0)) for pool in pools]


def _is_at_work(pool: TrackedPool) -> bool:
    waiting = pool.stats().get("requests_waiting", 0) > 0
    return waiting or any(status_of(connection) == "active" for connection in pool.taken())
