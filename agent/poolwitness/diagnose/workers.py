"""Open pools with a worker or scheduler that is dead, or stuck in one task (PW301, PW302)."""

from __future__ import annotations

from collections.abc import Iterator

from poolwitness.diagnose.registry import rule
from poolwitness.model.findings import Finding
from poolwitness.model.records import Frame, PoolRecord, Snapshot, WorkerRecord
from poolwitness.model.wording import at_line, format_stack, plural, pool_made, raised


@rule(
    "PW301", "worker-died", "the pool is open and one of its threads or tasks is dead", confidence="proven",
    level="error", needs="pools",
    fields=("poolwitness.worker.name", "poolwitness.worker.role", "poolwitness.workers_dead", "exception.type", "poolwitness.raised_at"),
)  # fmt: skip
def worker_died(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    if pool.life.state != "open":
        return
    for worker in pool.workers:
        # A task that ended without an exception was cancelled with its loop.
        if worker.error_type is None and (worker.alive or pool.info.is_async):
            continue
        yield _died(pool, worker)


@rule(
    "PW302", "worker-stuck", "a worker of a pool has been in one task for long", confidence="suspected",
    level="warning",
    fields=("poolwitness.worker.name", "poolwitness.worker.task", "poolwitness.worker.busy_s", "poolwitness.workers_busy", "poolwitness.worker.stacktrace", "poolwitness.worker.at"),
    retractable="worker",
)  # fmt: skip
def worker_stuck(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """A worker that has been in one task for longer than a checkout may take."""
    if pool.life.state != "open":
        return
    for worker in pool.workers:
        if worker.alive and worker.error_type is None and worker.busy_s >= snapshot.held_limit_s > 0:
            yield _stuck(pool, worker)


_AT = {
    "AddConnection": "making a connection",
    "ReturnConnection": "taking a connection back",
    "ShrinkPool": "closing a connection that is not needed",
}


def _stuck(pool: PoolRecord, worker: WorkerRecord) -> Finding:
    where = worker.where
    ours = where.application[0] if where is not None and where.application else None
    workers = plural(pool.info.num_workers, "worker")
    if ours is not None:
        stands = f", now at {at_line(ours)}"
        fix = f"give what {at_line(ours)} waits for a timeout: nothing ends that wait, and the pool has {workers}"
    elif where is not None and any(_connects(frame) for frame in where.frames):
        stands = ", now connecting"
        fix = "put connect_timeout=5 into the connection string, and see why the server does not answer"
    else:
        stands = ""
        fix = "see its stack in poolwitness.worker.stacktrace, and give what it waits for a timeout"
    busy = sum(1 for other in pool.workers if other.task and other.alive)
    doing = _AT.get(worker.task, "in one task")
    return worker_stuck.finding(
        message=f"worker {worker.name!r} of {pool_made(pool)}, has been {doing} for {worker.busy_s:.1f} s{stands}: {busy} of {workers} busy",
        fix=fix,
        key=(pool.info.id, worker.name),
        pool=pool,
        extra={
            "poolwitness.worker.name": worker.name,
            "poolwitness.worker.task": worker.task,
            "poolwitness.worker.busy_s": round(worker.busy_s, 6),
            "poolwitness.workers_busy": busy,
            "poolwitness.worker.stacktrace": format_stack(where, 16) if where is not None else None,
            "poolwitness.worker.at": ours.place if ours is not None else None,
        },
    )


def _connects(frame: Frame) -> bool:
    return frame.kind == "psycopg" and frame.function in ("connect", "_connect")


def _died(pool: PoolRecord, worker: WorkerRecord) -> Finding:
    dead = sum(1 for other in pool.workers if other.error_type is not None or not other.alive)
    workers = [other for other in pool.workers if other.role == "worker"]
    left = sum(1 for other in workers if other.alive and other.error_type is None)
    if worker.error_type is None:
        why = "without an exception that could be seen"
    else:
        why = f"of {raised(worker.error_type, worker.raised_at)}"
    if worker.role == "scheduler":
        effect = "reconnections and idle shrinking no longer happen"
    elif left:
        effect = f"{plural(left, 'worker')} of {len(workers)} left to open and mend connections"
    else:
        effect = "no worker is left: it can no longer open or mend connections, and requests will time out"
    return worker_died.finding(
        message=f"{worker.role} {worker.name!r} of {pool_made(pool)}, died {why}: {effect}",
        fix=_advice(worker),
        key=(pool.info.id, worker.name),
        pool=pool,
        extra={
            "poolwitness.worker.name": worker.name,
            "poolwitness.worker.role": worker.role,
            "poolwitness.workers_dead": dead,
            "exception.type": worker.error_type,
            "poolwitness.raised_at": worker.raised_at.place if worker.raised_at is not None else None,
        },
    )


def _advice(worker: WorkerRecord) -> str:
    if worker.error_type == "SystemExit":
        return "sys.exit() in a callback ends that worker alone, silently: set a flag or send the process a signal in reconnect_failed, configure, reset or check instead"
    if worker.error_type == "Empty":
        return (
            "upgrade psycopg_pool to 3.3.3 or later: up to 3.3.2 idle workers die after 24 hours (psycopg issue 1419)"
        )
    return "find what raised it in the callbacks given to the pool (configure, reset, check, reconnect_failed) and close and make the pool anew"
