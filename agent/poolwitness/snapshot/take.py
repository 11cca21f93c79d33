"""Make frozen records of what the ledger keeps."""

from __future__ import annotations

import sys
import threading
import time
from functools import lru_cache
from typing import Any

from poolwitness.ledger.pools import TrackedConnection, TrackedPool
from poolwitness.ledger.stacks import resolve
from poolwitness.model.records import (
    CheckoutFault,
    CheckoutRecord,
    ConnectError,
    ConnectRecord,
    Crossing,
    Exhaustion,
    PoolInfo,
    PoolLife,
    PoolMisuse,
    PoolRecord,
    PoolUsage,
    Stack,
    UseAfterClose,
    WorkerRecord,
)
from poolwitness.observe.connects import Connects
from poolwitness.snapshot.holders import ThreadFrames, of_task

MOST_CHECKOUTS = 200
# libpq's transaction states
STATUSES = ("idle", "active", "idle in transaction", "in failed transaction", "closed")


def record_pool(entry: TrackedPool, standing: ThreadFrames | None = None, held_from_s: float = 0.0) -> PoolRecord:
    """A frozen copy of one pool.

    Args:
        entry: the ledger's.
        standing: where threads stand now; without it no record says where anything stands.
        held_from_s: leave out the checkouts of an open pool that are younger, and where workers stand that have not
            been at their task for so long.
    """
    stats = entry.stats()
    pool = entry.ref()
    if pool is not None and entry.name:
        entry.min_size, entry.max_size = pool._min_size, pool._max_size  # resize() may have changed them
    entry.note_peak()
    use = None
    if entry.use_after_close is not None:
        raw, count, waiting = entry.use_after_close
        use = UseAfterClose(resolve(raw), count, waiting)
    return PoolRecord(
        info=PoolInfo(
            id=entry.id,
            name=entry.name,
            cls=entry.cls,
            is_async=entry.is_async,
            is_null=entry.is_null,
            created=entry.stack,
            created_at=entry.made_at,
            created_in=entry.made_in,
            num_workers=entry.num_workers,
            database=entry.target,
            pid=entry.pid,
            has_check=entry.has_check,
            has_reset=entry.has_reset,
            django_alias=entry.django_alias,
        ),
        life=PoolLife(
            state=entry.state,
            inherited=entry.inherited,
            opened_at=entry.opened_at,
            opened=resolve(entry.opened_by) if entry.opened_by else None,
            opened_in_constructor=entry.opened_in_constructor,
            open_explicit=entry.open_explicit,
            open_confirmed=entry.open_confirmed,
            opened_by_threads=len(entry.open_threads),
            open_error=entry.open_error,
            closed_at=entry.closed_at,
            closed=resolve(entry.closed_by) if entry.closed_by else None,
            close_s=entry.close_s,
            retained_by=entry.kept_by,
        ),
        min_size=entry.min_size,
        max_size=entry.max_size,
        stats=stats,
        usage=PoolUsage(
            peak_in_use=entry.peak,
            longest_wait_s=entry.longest_wait_s,
            longest_held_s=entry.longest_held_s,
            longest_held=resolve(entry.longest_held_by) if entry.longest_held_by else None,
        ),
        checkouts=_checkouts(entry, standing, held_from_s if entry.state == "open" else 0.0),
        lost=tuple(_lost(slot) for slot in list(entry.lost)),
        unaccounted=entry.unaccounted,
        workers=record_workers(entry, standing, held_from_s),
        connects=_connects(entry),
        exhaustion=_exhaustion(entry),
        misuse=PoolMisuse(
            faults=tuple(
                CheckoutFault(key[0], resolve(found[0]), resolve(found[1]), found[2], found[3], found[4])
                for key, found in list(entry.incidents.items())
            ),
            adapters=tuple((resolve(raw), count) for raw, count in list(entry.adapters)),
            use_after_close=use,
            crossed_fork=_crossing(entry.crossed_fork),
            crossed_loops=_crossing(entry.crossed_loops),
        ),
    )


def record_workers(
    entry: TrackedPool, standing: ThreadFrames | None, busy_from_s: float = 0.0
) -> tuple[WorkerRecord, ...]:
    """A pool's threads or tasks as they are now; where they stand only if at their task for *busy_from_s*."""
    records = []
    now_mono = time.monotonic()
    # Once the pool is being closed they end because they were told to.
    closing = entry.closed_by is not None
    for role, ref, name, native_id in entry.threads:
        runner = ref()
        where: Stack | None = None
        stint = entry.stints.get(id(runner))
        busy_s = max(0.0, now_mono - stint.started_mono) if stint is not None else 0.0
        wanted = standing is not None and busy_s >= busy_from_s
        if isinstance(runner, threading.Thread):
            alive = runner.is_alive()
            where = standing.of_thread(runner.ident) if standing is not None and wanted and alive else None
        else:
            alive = runner is not None and not runner.done()
            where = of_task(runner) if stint is not None and wanted and alive else None
        sample = entry.samples.get(native_id) if native_id is not None else None
        error = entry.worker_errors.get(name)
        records.append(
            WorkerRecord(
                name=name,
                role=role,
                alive=alive or closing,
                native_id=native_id,
                where=where,
                error_type=error[0] if error else None,
                error_text=error[1] if error else None,
                task=stint.task if stint is not None else "",
                busy_s=busy_s,
                **(sample.fields() if sample is not None else {}),
            )
        )
    return tuple(records)


def record_checkout(slot: TrackedConnection, raw: Any, standing: ThreadFrames | None) -> CheckoutRecord:
    """One connection that is out, or has just come back."""
    now_mono = time.monotonic()
    taken = resolve(raw)
    in_task = slot.holder is not None and slot.holder.in_task
    # A framework's generator, as a dependency of FastAPI's is: another thread may go on with what it gives.
    by_a_framework = taken.suspended and taken.caller is None and not in_task
    alive, where = standing.of_slot(slot) if standing is not None and not by_a_framework else (True, None)
    return CheckoutRecord(
        id=slot.id,
        taken=taken,
        held_s=now_mono - slot.taken_mono,
        idle_s=now_mono - max(slot.taken_mono, slot.active_mono),
        holder=slot.holder.name if slot.holder is not None else "",
        in_task=in_task,
        holder_alive=alive,
        status=status_of(slot),
        where=where,
        retained_by=slot.kept_by,
        suspected=slot.suspected == "suspected",  # the confidence of the rule whose finding it is
    )


def status_of(slot: TrackedConnection) -> str:
    """The transaction state of a connection, read from libpq without asking the server."""
    conn = slot.ref()
    if conn is None:
        return "closed"
    status = int(conn.pgconn.transaction_status)
    return STATUSES[status] if 0 <= status < len(STATUSES) else "closed"


def _checkouts(entry: TrackedPool, standing: ThreadFrames | None, held_from_s: float) -> tuple[CheckoutRecord, ...]:
    records = []
    taken_until_mono = time.monotonic() - held_from_s
    for slot in entry.out[:MOST_CHECKOUTS]:
        if slot.taken_mono > taken_until_mono:
            break
        raw = slot.raw
        if raw is not None:
            records.append(record_checkout(slot, raw, standing))
    return tuple(records)


def _lost(slot: TrackedConnection) -> CheckoutRecord:
    return CheckoutRecord(
        id=slot.id,
        taken=resolve(slot.raw or ()),
        held_s=slot.held_s,
        idle_s=slot.held_s,
        holder=slot.holder.name if slot.holder is not None else "",
        in_task=slot.holder is not None and slot.holder.in_task,
        holder_alive=False,
        status="closed",
        lost=True,
        lost_from_open=slot.lost_from_open,
    )


def _connects(entry: TrackedPool) -> ConnectRecord:
    seen, host = entry.connects, entry.target.host
    if not isinstance(seen, Connects):
        return ConnectRecord()
    connect_s = configure_s = 0.0
    if seen.successes:
        connect_s = min(seen.connect_ms / 1000.0, seen.seconds) / seen.successes
        configure_s = max(0.0, seen.seconds / seen.successes - connect_s - 0.001)
    over_tcp = host is not None and not host.startswith(("/", "@"))
    return ConnectRecord(
        attempts=seen.attempts,
        failures=seen.failures,
        failing=seen.failing,
        connect_s=connect_s,
        configure_s=configure_s,
        over_tcp=over_tcp,
        gssapi=over_tcp and _has_gssapi(),
        errors=tuple(
            ConnectError(kind, sqlstate, found[0], found[1], found[2], found[3])
            for (kind, sqlstate, _), found in list(seen.errors.items())
        ),
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


def _crossing(found: list[Any] | None) -> Crossing | None:
    return Crossing(resolve(found[0]), *found[1:]) if found is not None else None


def _exhaustion(entry: TrackedPool) -> Exhaustion | None:
    found = entry.exhaustion
    if found is None:
        return None
    pool = entry.ref()
    timeout_s = float(getattr(pool, "timeout", 0.0) or 0.0)
    return Exhaustion(found[0], found[1], resolve(found[2]), found[3], found[4], found[5], timeout_s)
