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
_AFTER_ANY_FORK = "make it with open=False and open it in each process after the fork"
_ON_OTHER_LOOPS = {
    "pytest": "give the fixture that opens the pool the same loop scope as the tests that use it, or open a pool in each test",
    "asgiref": "let one loop have the pool: `async_to_sync` runs on a loop of its own in every thread that has none",
}
_ON_ANY_LOOP = "open and close the pool inside the loop that uses it: one asyncio.run() around all of the program, a pool for each loop where there are several, asyncio.run_coroutine_threadsafe() from other threads"


@rule(
    "PW401",
    "pool-crossed-fork",
    "a pool was used in a child of the process that opened it",
    confidence="proven",
    level="error",
    subject=INHERITED_POOL,
    fields=(
        "poolwitness.opened_at",
        "poolwitness.opened_pid",
        "poolwitness.use",
        "poolwitness.uses",
        "poolwitness.forked_by",
    ),
)
def crossed_fork(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """PW401: opened in one process, used, waited for or closed in a child of it."""
    found = pool.misuse.crossed_fork
    if found is None:
        return
    yield crossed_fork.finding(
        message=(
            f"{pool_label(pool)}, opened at {_opened(pool)} by process {pool.info.pid}, was {_used(found)} "
            f"by its forked child {snapshot.process.pid}: {_in_child(pool, found)}"
        ),
        fix=_fix_fork(found),
        key=(pool.info.id,),
        pool=pool,
        stack=_line(pool, found),
        extra={
            "poolwitness.opened_at": _opened_place(pool),
            "poolwitness.opened_pid": pool.info.pid,
            "poolwitness.use": found.use,
            "poolwitness.uses": found.count,
            **({"poolwitness.forked_by": found.under} if found.under else {}),
        },
    )


@rule(
    "PW402",
    "pool-crossed-loops",
    "an async pool was used on another event loop than its own",
    confidence="proven",
    level="error",
    fields=(
        "poolwitness.opened_at",
        "poolwitness.opened_loop",
        "poolwitness.opened_loop_ended",
        "poolwitness.used_loop",
        "poolwitness.use",
        "poolwitness.uses",
    ),
)
def crossed_loops(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """PW402: an async pool used on another loop than it was opened on, or after that loop ended."""
    found = pool.misuse.crossed_loops
    if found is None:
        return
    ended = ", which has ended," if found.ended else ","
    yield crossed_loops.finding(
        message=(
            f"async {pool_label(pool)}, opened at {_opened(pool)} on the loop {found.opened_on}{ended} was {_used(found)} "
            f"on another loop, {found.used_on}: its workers and its lock stayed on the first, so that a request may wait for ever"
        ),
        fix=_ON_OTHER_LOOPS.get(found.under, _ON_ANY_LOOP),
        key=(pool.info.id,),
        pool=pool,
        stack=_line(pool, found),
        extra={
            "poolwitness.opened_at": _opened_place(pool),
            "poolwitness.opened_loop": found.opened_on[:200],
            "poolwitness.opened_loop_ended": found.ended,
            "poolwitness.used_loop": found.used_on[:200],
            "poolwitness.use": found.use,
            "poolwitness.uses": found.count,
        },
    )


def _opened(pool: PoolRecord) -> str:
    return at_line((pool.life.opened or pool.info.created).origin)


def _opened_place(pool: PoolRecord) -> str:
    origin = (pool.life.opened or pool.info.created).origin
    return origin.place if origin is not None else ""


def _line(pool: PoolRecord, found: Crossing) -> Stack:
    # A call straight from C, as from atexit, has no line; the next best is the line that opened the pool.
    return found.used if found.used.origin is not None else pool.life.opened or pool.info.created


def _used(found: Crossing) -> str:
    if found.used.origin is None:
        return f"{found.use} at exit"
    return f"{found.use} at {at_line(found.used.origin)}"


def _in_child(pool: PoolRecord, found: Crossing) -> str:
    served = "tasks that serve it" if pool.info.is_async else "threads that serve it"
    if found.use in ("closed", "drained"):
        return "that says goodbye on its sockets, which ends the parent's sessions"
    if found.use == "waited for":
        return f"the {served} stayed in the parent, so nobody fills it"
    if pool.info.is_null:
        return f"the {served} stayed in the parent, so a request that has to wait is never served"
    return f"the two processes share its sockets and mix their messages, and the {served} stayed in the parent"


def _fix_fork(found: Crossing) -> str:
    opening = _AFTER_FORK.get(found.under, _AFTER_ANY_FORK)
    if found.use == "closed":
        return (
            "in the child leave the parent's pool alone: close it before the fork, or register its close with a check of "
            f"os.getpid(); if the child needs a pool, {opening}"
        )
    return f"{opening}; a pool that is open before the fork must not be touched in the child, not even closed"
