"""The living state of a process as events: what a signal is answered with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from poolwitness.model.findings import Finding
from poolwitness.model.records import CheckoutRecord, PoolRecord, Snapshot
from poolwitness.model.wording import holder_row, plural, pool_label
from poolwitness.report.events import Event, code_fields, pool_fields
from poolwitness.report.state_document import oldest_first, waiting_of

MOST_EVENTS = 500


def events(snapshot: Snapshot, found: Sequence[Finding], asked_by: str, report_id: str) -> Iterator[tuple[str, Event]]:
    """The living state as events: one for the process, one a pool, one a checkout.

    Args:
        snapshot: of this process.
        found: what the rules say of it; told elsewhere, only counted here.
        asked_by: for example ``SIGUSR2``.
        report_id: what the events of one report have in common.
    """
    pools = [pool for pool in snapshot.pools if pool.life.state == "open"]
    out = sum(len(pool.checkouts) for pool in pools)
    waiting = sum(waiting_of(pool) or 0 for pool in pools)
    counts = Counter(finding.rule.code for finding in found)
    listed = ", ".join(f"{count} x {code}" for code, count in sorted(counts.items()))
    yield (
        "poolwitness.state",
        {
            "level": "info",
            "message": (
                f"asked by {asked_by}: {plural(len(pools), 'pool')} open, {plural(out, 'connection')} out, "
                f"{plural(waiting, 'request')} waiting; {listed or 'nothing found'}"
            ),
            "poolwitness.report_id": report_id,
            "poolwitness.asked_by": asked_by,
            "poolwitness.pools_open": len(pools),
            "poolwitness.connections_out": out,
            "poolwitness.requests_waiting": waiting,
            "poolwitness.findings": len(found),
            **{f"poolwitness.found.{code}": count for code, count in sorted(counts.items())},
        },
    )
    for pool in pools[:MOST_EVENTS]:
        yield "poolwitness.pool.state", _pool_event(pool, report_id)
    ranked = [(pool, rank, checkout) for pool in pools for rank, checkout in enumerate(oldest_first(pool), start=1)]
    for pool, rank, checkout in ranked[:MOST_EVENTS]:
        yield "poolwitness.holder", _holder_event(pool, rank, checkout, report_id)


def _pool_event(pool: PoolRecord, report_id: str) -> Event:
    alive = sum(1 for worker in pool.workers if worker.alive)
    size, idle = pool.stats.get("pool_size", 0), pool.stats.get("pool_available", 0)
    waiting = waiting_of(pool) or 0
    message = (
        f"{pool_label(pool)} has {plural(size, 'connection')}: {len(pool.checkouts)} out, {idle} idle, "
        f"{plural(waiting, 'request')} waiting; {alive} of {len(pool.workers)} workers and schedulers alive"
    )
    return {
        "level": "info",
        "message": message,
        "poolwitness.report_id": report_id,
        **pool_fields(pool),
        **code_fields(pool.info.created),
        "poolwitness.connections_out": len(pool.checkouts),
        "poolwitness.requests_waiting": waiting,
        "poolwitness.slots_lost": len(pool.lost),
        "poolwitness.workers_alive": alive,
        "poolwitness.workers_dead": len(pool.workers) - alive,
        **{f"poolwitness.stats.{key}": value for key, value in pool.stats.items()},
    }


def _holder_event(pool: PoolRecord, rank: int, checkout: CheckoutRecord, report_id: str) -> Event:
    event = {
        "level": "info",
        "message": f"holder {rank} of {pool_label(pool)}: {holder_row(checkout).strip()}",
        "poolwitness.report_id": report_id,
        "poolwitness.rank": rank,
        "poolwitness.held_s": round(checkout.held_s, 6),
        "poolwitness.idle_s": round(checkout.idle_s, 6),
        "poolwitness.holder": checkout.holder[:200],
        "poolwitness.holder_kind": "task" if checkout.in_task else "thread",
        "poolwitness.holder_alive": checkout.holder_alive,
        "poolwitness.transaction": checkout.status,
        "db.client.connection.pool.name": pool.info.name[:256],
        "poolwitness.pool.id": pool.info.id,
        **code_fields(checkout.taken),
    }
    if checkout.where is not None and checkout.where.origin is not None:
        event["poolwitness.holder_at"] = checkout.where.origin.place
    return event
