"""Close the pools that are still open at exit: all threads are asked to stop first, then joined under one deadline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from poolwitness.guards import let_pass
from poolwitness.model.startup import clock


def close_all(pools: Sequence[Any], timeout_s: float) -> int:
    """Close pools so that twelve take no longer than one.

    Args:
        pools: open pools, sync and async; an async one's loop has ended, so its idle connections are closed
            directly.
        timeout_s: seconds for all of them together; a worker stuck in a connect is left behind.

    Returns:
        How many were closed.
    """
    deadline_mono = clock.monotonic() + timeout_s
    sync = [pool for pool in pools if not _is_async(pool)]
    threads = [thread for pool in sync for thread in _stop_threads(pool)]
    for thread in threads:
        thread.join(max(0.0, deadline_mono - clock.monotonic()))
    closed = 0
    for pool in pools:
        try:
            closed += _close_async(pool) if _is_async(pool) else _close(pool, deadline_mono)
        except Exception as error:  # noqa: BLE001 - one pool that cannot be closed must not keep the others open
            let_pass(error)
            continue
    return closed


def _is_async(pool: Any) -> bool:
    import psycopg_pool

    return isinstance(pool, psycopg_pool.AsyncConnectionPool)


def _stop_threads(pool: Any) -> list[Any]:
    """Queue the pool's own stop tasks, as its close() will do again, and return its threads."""
    from psycopg_pool.pool import StopWorker

    try:
        workers = list(pool._workers)
        runners = [*workers, pool._sched_runner] if pool._sched_runner is not None else workers
        pool._sched.enter(0, None)
        for _ in workers:
            pool.run_task(StopWorker(pool))
    except Exception as error:  # noqa: BLE001 - close() will try by itself
        let_pass(error)
        return []
    return [runner for runner in runners if runner.is_alive()]


def _close(pool: Any, deadline_mono: float) -> bool:
    # A null pool connects under its lock: a stuck client must not hold up the exit. The lock is reentrant.
    if not pool._lock.acquire(timeout=max(0.05, deadline_mono - clock.monotonic())):
        pool._closed = True  # then its __del__ waits for nothing
        return False
    try:
        pool.close(timeout=0)
    finally:
        pool._lock.release()
    return True


def _close_async(pool: Any) -> bool:
    pool._closed = True
    while pool._pool:
        pool._pool.popleft().pgconn.finish()
    return True
