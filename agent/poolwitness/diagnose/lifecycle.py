"""Pools that were not closed, dropped while open, used after close, opened wrongly, or are too many (PW001 to PW003, PW005 to PW007)."""

from __future__ import annotations

from collections.abc import Iterator

from poolwitness.diagnose.registry import SNAPSHOT, VERDICT, declare, own_pools, rule
from poolwitness.model.findings import Finding, Rule, Value
from poolwitness.model.records import PoolRecord, ProcessRecord, Snapshot, WorkerRecord
from poolwitness.model.wording import at_line, plural, pool_label, pool_made

# One pool per database is the rule, and a few are a choice; ten from one line are one per request, task or client.
CROWD = 10
JOIN_TIMEOUT_S = 5.0


@rule(
    "PW001", "pool-never-closed", "a pool was still open when the program ended", confidence="proven",
    level="warning", moments=frozenset({VERDICT}), needs="pools",
    fields=("poolwitness.expected_exit_delay_s", "poolwitness.kept_by", "poolwitness.pool.threads_alive", "poolwitness.pool.threads"),
    leak=True,
)  # fmt: skip
def never_closed(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    if pool.life.state != "open":
        return
    kept = f"; kept alive by {pool.life.retained_by}" if pool.life.retained_by else ""
    delay_s = expected_exit_delay_s(pool, snapshot.process) if snapshot.finalizers else 0.0
    yield never_closed.finding(
        message=f"{pool_made(pool)}, was never closed: {_consequence(pool, snapshot)}{kept}",
        fix=_close_advice(pool),
        pool=pool,
        extra={
            "poolwitness.expected_exit_delay_s": delay_s,
            "poolwitness.kept_by": pool.life.retained_by or None,
            **_threads(pool),
        },
    )


def expected_exit_delay_s(pool: PoolRecord, process: ProcessRecord) -> float:
    """Seconds that the exit is expected to wait for a pool left open.

    CPython 3.13 freezes daemon threads before ``__del__`` waits 5 s for each (psycopg issue 954). Up to 3.12 the wait
    returns at once; from 3.14 on it raises at once.

    No delay is expected from psycopg_pool 3.1, whose ``__del__`` does not wait; from a class of ``__main__``, because a
    frozen worker's frame keeps the class, the module's globals and so the pool alive; from Django's pools, which a
    worker's frame reaches through Django's configure callback; and from greenlets, which cannot be waited for by then.
    """
    if process.python[:2] != (3, 13) or not exit_suffers(pool, process):
        return 0.0
    return JOIN_TIMEOUT_S * sum(1 for worker in pool.workers if worker.alive)


def exit_suffers(pool: PoolRecord, process: ProcessRecord) -> bool:
    """Whether the pool's ``__del__`` is expected to run, and to wait, while the interpreter ends."""
    return (
        not pool.info.is_async
        and not pool.info.cls.startswith("__main__.")
        and not pool.info.django_alias
        and not process.greenlets
        and process.versions.get("psycopg_pool", (3, 2)) >= (3, 2)
    )


def _close_advice(pool: PoolRecord) -> str:
    if pool.info.django_alias:
        return (
            f"call `connections[{pool.info.django_alias!r}].close_pool()` (from django.db import connections) where the process "
            "ends, for example by `atexit.register` in manage.py, wsgi.py or asgi.py: Django closes connections, not pools; "
            "until then, POOLWITNESS_CLOSE=1 closes it at exit"
        )
    if pool.info.is_async:
        return (
            "open it with `async with AsyncConnectionPool(...) as pool:` around the program's main coroutine, "
            "or `await pool.close()` in its finally or lifespan shutdown"
        )
    return (
        "use `with ConnectionPool(...) as pool:` around the program, or put `atexit.register(pool.close)` "
        "right after the line that makes it; until then, POOLWITNESS_CLOSE=1 closes it at exit"
    )


def _consequence(pool: PoolRecord, snapshot: Snapshot) -> str:
    process, closes_at_exit = snapshot.process, snapshot.closes_at_exit
    python = process.python
    version = f"Python {python[0]}.{python[1]}"
    dropped = "its server connections are dropped without a goodbye"
    if pool.info.is_async:
        return dropped
    if not snapshot.finalizers:
        closes = "POOLWITNESS_CLOSE=1 closes it now"
        return closes if closes_at_exit else f"the process ends without closing it, and {dropped}"
    delay_s = expected_exit_delay_s(pool, process)
    threads = sum(1 for worker in pool.workers if worker.alive)
    cost = ""
    if delay_s:
        cost = f"wait about {delay_s:.0f} s for its {plural(threads, 'thread')} at exit"
    elif python >= (3, 14) and threads and exit_suffers(pool, process):
        cost = "print a PythonFinalizationError traceback for it at exit"
    if closes_at_exit:
        without = f"; without that, {version} would be expected to {cost}" if cost else ""
        return f"POOLWITNESS_CLOSE=1 closes it now{without}"
    if cost:
        return f"{version} is expected to {cost} (an expectation, not a measurement)"
    if python < (3, 13) and not process.greenlets:
        return f"on {version} its server connections are dropped, and from 3.13 on the exit suffers"
    return dropped


def _threads(pool: PoolRecord) -> dict[str, Value]:
    if pool.info.is_async or not pool.workers:
        return {}
    alive = sum(1 for worker in pool.workers if worker.alive)
    return {
        "poolwitness.pool.threads_alive": alive,
        "poolwitness.pool.threads": [_thread_row(worker) for worker in pool.workers[:12]],
    }


def _thread_row(worker: WorkerRecord) -> str:
    row = f"{worker.name} {worker.role} {'alive' if worker.alive else 'dead'}"
    if worker.native_id is not None:
        row += f" tid={worker.native_id}"
    if worker.state is not None:
        row += f" {worker.state}"
    if worker.cpu_user_s is not None and worker.cpu_system_s is not None:
        row += f" cpu={worker.cpu_user_s + worker.cpu_system_s:.2f}s"
    if worker.switches_voluntary is not None:
        row += f" switches={worker.switches_voluntary}+{worker.switches_involuntary}"
    frames = worker.where.frames if worker.where is not None else ()
    # The frames of the queue and its condition are the same in every waiting worker.
    for frame in frames:
        if frame.kind in ("psycopg", "application", "installed"):
            return f"{row} at {frame.function} ({frame.file.rpartition('/')[2]}:{frame.line})"
    return f"{row} at {frames[0].function}" if frames else row


@rule(
    "PW002", "pool-dropped-open", "a pool was garbage-collected while it was open", confidence="proven",
    level="warning", needs="pools", leak=True,
)  # fmt: skip
def dropped_open(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    if pool.life.state != "dropped":
        return
    what, block = "its threads are stopped by __del__", "a `with`"
    if pool.info.is_async:
        what, block = "tasks and connections are left to the garbage collector", "an `async with`"
    yield dropped_open.finding(
        message=f"{pool_made(pool)}, was garbage-collected while open: nothing holds it any more, {what}",
        fix=f"keep one pool for the life of the program and close it at the end, or make it in {block} block; a pool made in a function dies with the function",
        pool=pool,
    )


# No snapshot can be taken when this happens: a finalizer measures it and writes the line.
EXIT_DELAYED = declare(Rule(
    "PW003", "exit-delayed", "a pool's __del__ delayed the interpreter's exit, or raised there", confidence="proven",
    level="error", fields=("poolwitness.related", "poolwitness.exit_delay_s", "poolwitness.exit_delay_total_s",
    "poolwitness.exits_delayed", "exception.type"),
))  # fmt: skip


def exit_delayed(pool: PoolRecord, python: tuple[int, int, int], delay: str, exception: str) -> Finding:
    """The finding of a sync pool that is open at the verdict, rendered before it happens.

    *delay* and *exception* are placeholders for what a finalizer measures; *exception* is empty if it raises none.
    """
    where = f"{pool_made(pool)} and never closed,"
    if exception:
        message = f"{where} raised {exception} from its __del__ while Python {python[0]}.{python[1]} was ending, after {delay} s"
    else:
        message = f"{where} held up the exit of the program by {delay} s (measured): its __del__ waited for threads that cannot end any more"
    return EXIT_DELAYED.finding(
        message=message,
        fix=_close_advice(pool),
        pool=pool,
        level="warning" if exception else "error",
        extra={"poolwitness.related": ["PW001"]},
    )


@rule(
    "PW005", "pool-used-after-close", "PoolClosed was raised", confidence="proven", level="error",
    fields=("poolwitness.used_at", "poolwitness.used_by", "poolwitness.uses"),
)  # fmt: skip
def used_after_close(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    use = pool.misuse.use_after_close
    if use is None or pool.life.closed is None:
        return
    closed = pool.life.closed.origin
    closed_by = "closed at exit" if closed is None or closed.kind == "stdlib" else f"closed at {at_line(closed)}"
    verb = "waited for" if use.while_waiting else "used"
    yield used_after_close.finding(
        message=f"{pool_label(pool)} was {verb} at {at_line(use.used.origin)} after it had been {closed_by}: PoolClosed was raised",
        fix="end whatever uses the pool before closing it, or move close() later; a closed pool cannot be opened again",
        pool=pool,
        stack=pool.life.closed if closed is not None else None,
        extra={
            "poolwitness.used_at": use.used.place,
            "poolwitness.used_by": use.used.origin.function if use.used.origin is not None else "",
            "poolwitness.uses": use.count,
        },
    )


@rule(
    "PW006", "async-pool-opened-in-constructor", "an async pool was opened by its constructor", confidence="proven",
    level="warning",
)  # fmt: skip
def async_opened_in_constructor(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """open=True, or left to the default and used without `async with` or `await pool.open()`."""
    if not pool.info.is_async or not pool.life.opened_in_constructor:
        return
    used = pool.stats.get("requests_num", 0) > 0
    if not pool.life.open_explicit and (pool.life.open_confirmed or not used):
        return
    yield async_opened_in_constructor.finding(
        message=f"async {pool_label(pool)} was opened by its constructor at {at_line(pool.info.created.origin)}: psycopg_pool deprecates that and will refuse it",
        fix="pass open=False and `await pool.open()` where the loop runs, or `async with AsyncConnectionPool(..., open=False) as pool:`",
        pool=pool,
    )


@rule(
    "PW007", "pool-crowd", "many live pools from one origin or to one database", confidence="probable",
    level="warning", subject=SNAPSHOT, needs="pools", fields=("poolwitness.pools_open",), leak=True,
)  # fmt: skip
def crowd(snapshot: Snapshot) -> Iterator[Finding]:
    by_origin: dict[object, list[PoolRecord]] = {}
    by_target: dict[object, list[PoolRecord]] = {}
    for pool in own_pools(snapshot):
        if pool.life.state != "open":
            continue
        if pool.info.created.origin is not None:
            by_origin.setdefault(pool.info.created.origin.place, []).append(pool)
        if pool.info.database.known:
            by_target.setdefault(pool.info.database, []).append(pool)
    reported: set[int] = set()
    for group in by_origin.values():
        if len(group) >= CROWD:
            reported.update(pool.info.id for pool in group)
            first = group[0]
            yield _crowd(group, f"made at {at_line(first.info.created.origin)}", (first.info.created.origin,))
    for target, group in by_target.items():
        rest = [pool for pool in group if pool.info.id not in reported]
        if len(rest) >= CROWD:
            places = {pool.info.created.origin.place for pool in rest if pool.info.created.origin is not None}
            what = f"of the same database, made at {plural(len(places), 'line')}"
            yield _crowd(rest, what, (target,))


def _crowd(pools: list[PoolRecord], what: str, key: tuple[object, ...]) -> Finding:
    pool, count = pools[0], len(pools)
    limited = all(each.most for each in pools)
    connections = plural(sum(each.most for each in pools), "connection") if limited else "any number of connections"
    kinds = {"tasks" if each.info.is_async else "threads" for each in pools}
    runners = " and ".join(sorted(kinds, reverse=True))
    return crowd.finding(
        message=(
            f"{count} pools {what} are open at once in this process: together they may take "
            f"{connections} of the server and run {sum(each.info.num_workers + 1 for each in pools)} {runners}"
        ),
        fix="make one pool per process and database, at start-up, and hand it to requests, tasks and clients",
        key=key,
        pool=pool,
        extra={"poolwitness.pools_open": count},
    )
