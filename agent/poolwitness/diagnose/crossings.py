"""Pools used where they were not opened: in a forked child, or on another event loop (PW401, PW402)."""

from __future__ import annotations

from collections.abc import Iterator

from poolwitness.diagnose.registry import INHERITED_POOL, rule
from poolwitness.model.findings import Finding
from poolwitness.model.records import Crossing, PoolRecord, Snapshot, Stack
from poolwitness.model.wording import at_line, pool_label

# By the server or library that forks the processes of the program.
_AFTER_FORK = {
    "gunicorn": "make it with open=False and open it in `post_fork(server, worker)` of gunicorn's configuration",
    "celery": "make it with open=False, open it in a handler of `celery.signals.worker_process_init` and close it in one of `worker_process_shutdown`",
    "uwsgi": "make it with open=False and open it in a function under `@uwsgidecorators.postfork`, or set `lazy-apps = true`",
    "multiprocessing": "make or open it in the function given as `initializer=`, or use the start method spawn",
}
_ON_OTHER_LOOPS = {
    "pytest": "give the fixture that opens the pool the same loop scope as the tests that use it, or open a pool in each test",
    "asgiref": "let one loop have the pool: `async_to_sync` runs on a loop of its own in every thread that has none",
}
_ON_ANY_LOOP = "open and close the pool inside the loop that uses it: one asyncio.run() around all of the program, a pool for each loop where there are several, asyncio.run_coroutine_threadsafe() from other threads"
_CROSSING = ("poolwitness.opened_at", "poolwitness.use", "poolwitness.uses")


@rule(
    "PW401", "pool-crossed-fork", "a pool was used in a child of the process that opened it", confidence="proven",
    level="error", subject=INHERITED_POOL, fields=(*_CROSSING, "poolwitness.opened_pid", "poolwitness.forked_by"),
)  # fmt: skip
def crossed_fork(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    found = pool.misuse.crossed_fork
    if found is None:
        return
    opened = _opened(pool)
    fix = _AFTER_FORK.get(found.under, "make it with open=False and open it in each process after the fork")
    if found.use == "closed":
        fix = f"in the child leave the parent's pool alone: close it before the fork, or register its close with a check of os.getpid(); if the child needs a pool, {fix}"
    else:
        fix += "; a pool that is open before the fork must not be touched in the child, not even closed"
    yield crossed_fork.finding(
        message=(
            f"{pool_label(pool)}, opened at {at_line(opened.origin)} by process {pool.info.pid}, was {_used(found)} "
            f"by its forked child {snapshot.process.pid}: {_in_child(pool, found)}"
        ),
        fix=fix,
        pool=pool,
        stack=_line(found, opened),
        extra={
            "poolwitness.opened_at": opened.place,
            "poolwitness.opened_pid": pool.info.pid,
            "poolwitness.use": found.use,
            "poolwitness.uses": found.count,
            "poolwitness.forked_by": found.under or None,
        },
    )


@rule(
    "PW402", "pool-crossed-loops", "an async pool was used on another event loop than its own", confidence="proven",
    level="error",
    fields=(*_CROSSING, "poolwitness.opened_loop", "poolwitness.opened_loop_ended", "poolwitness.used_loop"),
)  # fmt: skip
def crossed_loops(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    found = pool.misuse.crossed_loops
    if found is None:
        return
    opened = _opened(pool)
    ended = ", which has ended," if found.ended else ","
    yield crossed_loops.finding(
        message=(
            f"async {pool_label(pool)}, opened at {at_line(opened.origin)} on the loop {found.opened_on}{ended} was {_used(found)} "
            f"on another loop, {found.used_on}: its workers and its lock stayed on the first, so that a request may wait for ever"
        ),
        fix=_ON_OTHER_LOOPS.get(found.under, _ON_ANY_LOOP),
        pool=pool,
        stack=_line(found, opened),
        extra={
            "poolwitness.opened_at": opened.place,
            "poolwitness.opened_loop": found.opened_on[:200],
            "poolwitness.opened_loop_ended": found.ended,
            "poolwitness.used_loop": found.used_on[:200],
            "poolwitness.use": found.use,
            "poolwitness.uses": found.count,
        },
    )


def _opened(pool: PoolRecord) -> Stack:
    return pool.life.opened or pool.info.created


def _line(found: Crossing, opened: Stack) -> Stack:
    # A call straight from C, as from atexit, has no line.
    return found.used if found.used.origin is not None else opened


def _used(found: Crossing) -> str:
    return f"{found.use} at {at_line(found.used.origin) if found.used.origin is not None else 'exit'}"


def _in_child(pool: PoolRecord, found: Crossing) -> str:
    served = "tasks that serve it" if pool.info.is_async else "threads that serve it"
    if found.use in ("closed", "drained"):
        return "that says goodbye on its sockets, which ends the parent's sessions"
    if found.use == "waited for":
        return f"the {served} stayed in the parent, so nobody fills it"
    if pool.info.is_null:
        return f"the {served} stayed in the parent, so a request that has to wait is never served"
    return f"the two processes share its sockets and mix their messages, and the {served} stayed in the parent"
