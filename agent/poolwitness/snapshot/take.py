"""Take a snapshot: freeze what the ledger keeps into records."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from poolwitness.config import Config
from poolwitness.ledger.connections import TrackedConnection, running
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import PoolRunner, TrackedPool
from poolwitness.ledger.stacks import RawStack, resolve
from poolwitness.model.locations import Stack
from poolwitness.model.records import (
    CheckoutRecord,
    ConnectRecord,
    Moment,
    PoolMisuse,
    PoolRecord,
    ProcessRecord,
    Snapshot,
    WorkerRecord,
)
from poolwitness.model.startup import clock
from poolwitness.snapshot.holders import ThreadFrames, of_task
from poolwitness.snapshot.versions import Versions

MOST_CHECKOUTS = 200
MOST_WITH_FRAMES = 16
# libpq's transaction states.
STATUSES = ("idle", "active", "idle in transaction", "in failed transaction", "closed")


def take_snapshot(
    ledger: Ledger,
    pools: Sequence[TrackedPool],
    moment: Moment,
    config: Config,
    versions: Versions,
    with_frames: bool = False,
    held_from_s: float = 0.0,
) -> Snapshot:
    """A snapshot of some pools; one whose constructor has not returned is left out.

    Args:
        with_frames: find where holders and workers are now.
        held_from_s: leave out checkouts of open pools that are younger, in seconds.
    """
    frames = ThreadFrames() if with_frames else None
    try:
        return Snapshot(
            taken_at=clock.now(),
            taken_mono=clock.monotonic(),
            moment=moment.name,
            process=ProcessRecord(
                pid=os.getpid(),
                python=(sys.version_info.major, sys.version_info.minor, sys.version_info.micro),
                versions=versions,
                greenlets=running().greenlet is not None,
            ),
            pools=tuple(
                freeze_pool(
                    pool,
                    frames if index < MOST_WITH_FRAMES or pool.worker_tasks or pool.taken() else None,
                    held_from_s,
                )
                for index, pool in enumerate(pools)
                if pool.info is not None
            ),
            dropped_records=ledger.dropped_records,
            held_limit_s=config.held_s,
            closes_at_exit=config.close,
            ending=moment.ending,
            killed=moment.killed,
            finalizers=moment.finalizers,
        )
    finally:
        if frames is not None:
            frames.release()


def freeze_pool(pool: TrackedPool, frames: ThreadFrames | None = None, held_from_s: float = 0.0) -> PoolRecord:
    """The record of one pool, whose constructor has returned.

    Args:
        frames: where threads are now; without it no record has a place.
        held_from_s: leave out younger checkouts of an open pool, and the places of workers that are busy for less.
    """
    info = pool.info
    assert info is not None, "a pool whose constructor has not returned"
    stats = pool.stats()
    host = pool.ref()
    if host is not None:
        pool.min_size, pool.max_size = host._min_size, host._max_size  # resize() may have changed them
    pool.note_peak()
    over_tcp = info.database.host is not None and not info.database.host.startswith(("/", "@"))
    timeout_s = float(getattr(host, "timeout", 0.0) or 0.0)
    return PoolRecord(
        info=info,
        life=pool.life.freeze(pool.retained_by),
        min_size=pool.min_size,
        max_size=pool.max_size,
        stats=stats,
        usage=pool.usage.freeze(),
        checkouts=_checkouts(pool, frames, held_from_s if pool.state == "open" else 0.0),
        lost=tuple(_lost(connection) for connection in list(pool.lost)),
        unaccounted=pool.unaccounted,
        workers=_workers(pool, frames, held_from_s),
        connects=pool.connects.freeze(over_tcp, over_tcp and _has_gssapi()) if pool.connects else ConnectRecord(),
        exhaustion=pool.exhaustion.freeze(timeout_s) if pool.exhaustion else None,
        misuse=PoolMisuse(
            faults=tuple(fault.freeze() for fault in list((pool.faults or {}).values())),
            adapters=tuple((resolve(raw), count) for raw, count in list(pool.adapters or ())),
            use_after_close=pool.use_after_close.freeze() if pool.use_after_close else None,
            crossed_fork=pool.crossed_fork.freeze() if pool.crossed_fork else None,
            crossed_loops=pool.crossed_loops.freeze() if pool.crossed_loops else None,
        ),
    )


def _workers(pool: TrackedPool, frames: ThreadFrames | None, busy_from_s: float) -> tuple[WorkerRecord, ...]:
    now_mono = clock.monotonic()
    # They are expected to end once the pool is being closed.
    closing = pool.life.closed_from is not None
    return tuple(_worker(pool, runner, frames, busy_from_s, now_mono, closing) for runner in pool.runners)


def _worker(
    pool: TrackedPool,
    known: PoolRunner,
    frames: ThreadFrames | None,
    busy_from_s: float,
    now_mono: float,
    closing: bool,
) -> WorkerRecord:
    runner: Any = known.ref()
    where: Stack | None = None
    task = pool.worker_tasks.get(id(runner))
    busy_s = max(0.0, now_mono - task.started_mono) if task is not None else 0.0
    wanted = frames is not None and busy_s >= busy_from_s
    if isinstance(runner, threading.Thread):
        alive = runner.is_alive()
        where = frames.of_thread(runner.ident) if frames is not None and wanted and alive else None
    else:
        alive = runner is not None and not runner.done()
        where = of_task(runner) if task is not None and wanted and alive else None
    samples, errors = pool.thread_samples or {}, pool.worker_errors or {}
    sample = samples.get(known.native_id) if known.native_id is not None else None
    error = errors.get(known.name)
    return WorkerRecord(
        name=known.name,
        role=known.role,
        alive=alive or closing,
        native_id=known.native_id,
        where=where,
        error_type=error[0] if error else None,
        raised_at=error[1] if error else None,
        task=task.name if task is not None else "",
        busy_s=busy_s,
        **(sample.fields() if sample is not None else {}),
    )


def status_of(connection: TrackedConnection) -> str:
    """The transaction state of a connection, read from libpq without asking the server."""
    conn = connection.ref()
    if conn is None:
        return "closed"
    status = int(conn.pgconn.transaction_status)
    return STATUSES[status] if 0 <= status < len(STATUSES) else "closed"


def _checkouts(pool: TrackedPool, frames: ThreadFrames | None, held_from_s: float) -> tuple[CheckoutRecord, ...]:
    records = []
    taken_until_mono = clock.monotonic() - held_from_s
    for connection in pool.checkouts()[:MOST_CHECKOUTS]:
        if connection.taken_mono > taken_until_mono:
            break
        taken_from = connection.taken_from
        if taken_from is not None:
            records.append(_checkout(connection, taken_from, frames))
    return tuple(records)


def _checkout(connection: TrackedConnection, taken_from: RawStack, frames: ThreadFrames | None) -> CheckoutRecord:
    taken = resolve(taken_from)
    holder = connection.holder
    in_task = holder is not None and holder.in_task
    # A framework's generator, such as a dependency of FastAPI: another thread may use what it yields.
    by_a_framework = taken.suspended and taken.caller is None and not in_task
    alive, where = frames.of_holder(connection) if frames is not None and not by_a_framework else (True, None)
    return CheckoutRecord(
        id=connection.id,
        taken=taken,
        held_s=clock.since(connection.taken_mono),
        idle_s=clock.since(max(connection.taken_mono, connection.active_mono)),
        holder=holder.name if holder is not None else "",
        in_task=in_task,
        holder_alive=alive,
        status=status_of(connection),
        where=where,
        retained_by=connection.retained_by,
        suspected=connection.suspected == "suspected",
    )


def _lost(connection: TrackedConnection) -> CheckoutRecord:
    holder = connection.holder
    return CheckoutRecord(
        id=connection.id,
        taken=resolve(connection.taken_from or ()),
        held_s=connection.held_s,
        idle_s=connection.held_s,
        holder=holder.name if holder is not None else "",
        in_task=holder is not None and holder.in_task,
        holder_alive=False,
        status="closed",
        lost=True,
        lost_from_open=connection.lost_from_open,
    )


@lru_cache(maxsize=1)  # libpq's answer takes 0.1 ms, and every sweep asks for every pool
def _has_gssapi() -> bool:
    """Whether libpq was built with GSSAPI: then it tries an encrypted handshake first wherever there is a ticket."""
    pq = sys.modules.get("psycopg.pq")
    if pq is None:
        return False
    for option in pq.Conninfo.get_defaults():
        if option.keyword == b"gssencmode":
            return bool(option.val or option.compiled) and (option.val or option.compiled) != b"disable"
    return False
