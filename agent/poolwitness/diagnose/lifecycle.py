"""Pools that were not closed, were dropped, used after close, opened wrongly, or are too many."""

from __future__ import annotations

from collections.abc import Iterator

from poolwitness.model.findings import RULES, Finding
from poolwitness.model.records import Frame, PoolRecord, ProcessRecord, Snapshot
from poolwitness.model.wording import at_line, plural, pool_label

# One pool a database is the rule, a handful is a choice; ten of one line are one per something.
CROWD = 10
JOIN_TIMEOUT_S = 5.0


def own(snapshot: Snapshot) -> Iterator[PoolRecord]:
    """The pools that this process made itself."""
    return (pool for pool in snapshot.pools if not pool.life.inherited)


def expected_exit_delay_s(pool: PoolRecord, process: ProcessRecord) -> float:
    """Seconds that the exit is expected to wait for a pool left open.

    None up to psycopg_pool 3.1, whose ``__del__`` does not wait, and none for a class of ``__main__``: a frozen
    worker's frame keeps that class, and with it the module's globals and the pool, alive. None for Django's pools either,
    which a worker's frame reaches by Django's own configure callback. None for greenlets, which nobody can wait for by then.

    CPython 3.13 freezes daemon threads before ``__del__`` waits 5 s for each (psycopg issue 954); from 3.14 on
    the wait raises at once; up to 3.12 it returns at once.
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
    if pool.info.is_async:
        return "its server connections are dropped without a goodbye"
    if not snapshot.finalizers:
        return (
            "POOLWITNESS_CLOSE=1 closes it now"
            if closes_at_exit
            else "the process ends without closing it, and its server connections are dropped without a goodbye"
        )
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
    return "its server connections are dropped without a goodbye"


def never_closed(snapshot: Snapshot) -> Iterator[Finding]:
    """PW001: opened, and still open at the verdict."""
    if snapshot.moment != "verdict":
        return
    for pool in own(snapshot):
        if pool.life.state != "open":
            continue
        yield Finding(
            rule=RULES["PW001"],
            message=(
                f"{pool_label(pool)}, made at {at_line(pool.info.created.origin)}, was never closed: {_consequence(pool, snapshot)}"
                + (f"; kept alive by {pool.life.retained_by}" if pool.life.retained_by else "")
            ),
            fix=_close_advice(pool),
            key=("PW001", pool.info.id),
            pool=pool,
            stack=pool.info.created,
            extra={
                "poolwitness.expected_exit_delay_s": (
                    expected_exit_delay_s(pool, snapshot.process) if snapshot.finalizers else 0.0
                ),
                **({"poolwitness.kept_by": pool.life.retained_by} if pool.life.retained_by else {}),
                **_threads(pool),
            },
        )


def _threads(pool: PoolRecord) -> dict[str, str | int | float | bool | list[str]]:
    if pool.info.is_async or not pool.workers:
        return {}
    rows = []
    for worker in pool.workers:
        state = "alive" if worker.alive else "dead"
        row = f"{worker.name} {worker.role} {state}"
        if worker.native_id is not None:
            row += f" tid={worker.native_id}"
        if worker.state is not None:
            row += f" {worker.state}"
        if worker.cpu_user_s is not None and worker.cpu_system_s is not None:
            row += f" cpu={worker.cpu_user_s + worker.cpu_system_s:.2f}s"
        if worker.switches_voluntary is not None:
            row += f" switches={worker.switches_voluntary}+{worker.switches_involuntary}"
        stands = _stands(worker.where.frames) if worker.where is not None else ""
        rows.append(f"{row} at {stands}" if stands else row)
    alive = sum(1 for worker in pool.workers if worker.alive)
    return {"poolwitness.pool.threads_alive": alive, "poolwitness.pool.threads": rows[:12]}


def _stands(frames: tuple[Frame, ...]) -> str:
    # The frames of the queue and the condition say nothing; the first one of psycopg or the application does.
    for frame in frames:
        if frame.kind in ("psycopg", "application", "installed"):
            return f"{frame.function} ({frame.file.rpartition('/')[2]}:{frame.line})"
    return f"{frames[0].function}" if frames else ""


def dropped_open(snapshot: Snapshot) -> Iterator[Finding]:
    """PW002: garbage-collected while open."""
    for pool in own(snapshot):
        if pool.life.state != "dropped":
            continue
        what = (
            "tasks and connections are left to the garbage collector"
            if pool.info.is_async
            else "its threads are stopped by __del__"
        )
        yield Finding(
            rule=RULES["PW002"],
            message=(
                f"{pool_label(pool)}, made at {at_line(pool.info.created.origin)}, was garbage-collected while open: "
                f"nothing holds it any more, {what}"
            ),
            fix=(
                "keep one pool for the life of the program and close it at the end, or make it in "
                f"{'an `async with`' if pool.info.is_async else 'a `with`'} block; "
                "a pool made in a function dies with the function"
            ),
            key=("PW002", pool.info.id),
            pool=pool,
            stack=pool.info.created,
        )


def exit_delayed(pool: PoolRecord, python: tuple[int, int, int], delay: str, exception: str) -> Finding:
    """PW003, rendered before it happens: the caller fills in what was measured.

    Args:
        pool: an open sync pool at the verdict.
        python: the interpreter's version.
        delay: the text that stands for the seconds.
        exception: the name of the exception that ``__del__`` raised, or empty.
    """
    where = f"{pool_label(pool)}, made at {at_line(pool.info.created.origin)} and never closed,"
    if exception:
        message = f"{where} raised {exception} from its __del__ while Python {python[0]}.{python[1]} was ending, after {delay} s"
    else:
        message = f"{where} held up the exit of the program by {delay} s (measured): its __del__ waited for threads that cannot end any more"
    return Finding(
        rule=RULES["PW003"],
        message=message,
        fix=_close_advice(pool),
        key=("PW003", pool.info.id),
        pool=pool,
        stack=pool.info.created,
        level="warning" if exception else "error",
        extra={"poolwitness.related": ["PW001"]},
    )


def used_after_close(snapshot: Snapshot) -> Iterator[Finding]:
    """PW005: PoolClosed was raised."""
    for pool in own(snapshot):
        use = pool.misuse.use_after_close
        if use is None or pool.life.closed is None:
            continue
        closed = pool.life.closed.origin
        closed_by = "closed at exit" if closed is None or closed.kind == "stdlib" else f"closed at {at_line(closed)}"
        verb = "waited for" if use.while_waiting else "used"
        yield Finding(
            rule=RULES["PW005"],
            message=f"{pool_label(pool)} was {verb} at {at_line(use.used.origin)} after it had been {closed_by}: PoolClosed was raised",
            fix="end whatever uses the pool before closing it, or move close() later; a closed pool cannot be opened again",
            key=("PW005", pool.info.id),
            pool=pool,
            stack=pool.life.closed if closed is not None else pool.info.created,
            extra={
                "poolwitness.used_at": use.used.origin.place if use.used.origin is not None else "",
                "poolwitness.used_by": use.used.origin.function if use.used.origin is not None else "",
                "poolwitness.uses": use.count,
            },
        )


def async_opened_in_constructor(snapshot: Snapshot) -> Iterator[Finding]:
    """PW006: open=True, or left to the default and used without `async with` or `await pool.open()`."""
    for pool in own(snapshot):
        if not pool.info.is_async or not pool.life.opened_in_constructor:
            continue
        used = pool.stats.get("requests_num", 0) > 0
        if not pool.life.open_explicit and (pool.life.open_confirmed or not used):
            continue
        yield Finding(
            rule=RULES["PW006"],
            message=(
                f"async {pool_label(pool)} was opened by its constructor at {at_line(pool.info.created.origin)}: "
                "psycopg_pool deprecates that and will refuse it"
            ),
            fix="pass open=False and `await pool.open()` where the loop runs, or `async with AsyncConnectionPool(..., open=False) as pool:`",
            key=("PW006", pool.info.id),
            pool=pool,
            stack=pool.info.created,
        )


def crowd(snapshot: Snapshot) -> Iterator[Finding]:
    """PW007: many live pools of one origin, or of one database."""
    by_origin: dict[object, list[PoolRecord]] = {}
    by_target: dict[object, list[PoolRecord]] = {}
    for pool in own(snapshot):
        if pool.life.state != "open":
            continue
        if pool.info.created.origin is not None:
            by_origin.setdefault(pool.info.created.origin.place, []).append(pool)
        if pool.info.database.known:
            by_target.setdefault(pool.info.database, []).append(pool)
    told: set[int] = set()
    for group in by_origin.values():
        if len(group) >= CROWD:
            told.update(pool.info.id for pool in group)
            first = group[0]
            yield _crowd(group, f"made at {at_line(first.info.created.origin)}", ("PW007", first.info.created.origin))
    for target, group in by_target.items():
        rest = [pool for pool in group if pool.info.id not in told]
        if len(rest) >= CROWD:
            places = {pool.info.created.origin.place for pool in rest if pool.info.created.origin is not None}
            what = f"of the same database, made at {plural(len(places), 'line')}"
            yield _crowd(rest, what, ("PW007", target))


def _crowd(pools: list[PoolRecord], what: str, key: tuple[object, ...]) -> Finding:
    pool, count = pools[0], len(pools)
    limited = all(each.most for each in pools)
    connections = plural(sum(each.most for each in pools), "connection") if limited else "any number of connections"
    runners = " and ".join(
        word
        for word, is_async in (("threads", False), ("tasks", True))
        if is_async in {each.info.is_async for each in pools}
    )
    return Finding(
        rule=RULES["PW007"],
        message=(
            f"{count} pools {what} are open at once in this process: together they may take "
            f"{connections} of the server and run {sum(each.info.num_workers + 1 for each in pools)} {runners}"
        ),
        fix="make one pool per process and database, at start-up, and hand it to requests, tasks and clients",
        key=key,
        pool=pool,
        stack=pool.info.created,
        extra={"poolwitness.pools_open": count},
    )
