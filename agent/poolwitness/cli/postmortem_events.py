"""What a dead process left, as events: one for the process, one a pool, one a connection, one a waiting request."""

from __future__ import annotations

from collections.abc import Iterator

from poolwitness.blackbox.contents import Remains, WaitingRequest
from poolwitness.model.records import CheckoutRecord, PoolRecord
from poolwitness.model.wording import at_call, at_line, holder_of, out_of, plural, pool_label
from poolwitness.report.events import Event, code_fields, pool_fields
from poolwitness.report.pipeline import timestamp

_STATES = {
    "new": "had not been opened",
    "open": "was open",
    "closed": "was closed",
    "dropped": "had been garbage-collected while open",
}


def worth_telling(remains: Remains) -> list[PoolRecord]:
    """The pools that were not closed, or have connections that are out, or requests that wait."""
    waited_for = {request.pool_id for request in remains.waiting}
    return [
        pool
        for pool in remains.snapshot.pools
        if (pool.life.state != "closed" and not pool.life.inherited) or pool.checkouts or pool.info.id in waited_for
    ]


def headline(remains: Remains) -> str:
    """One sentence: who died, when, and with what in hand."""
    open_pools = sum(1 for pool in worth_telling(remains) if pool.life.state == "open" and not pool.life.inherited)
    out = sum(len(pool.checkouts) for pool in remains.snapshot.pools)
    program = remains.snapshot.process.argv0
    after_s = max(0.0, remains.last_seen_at - remains.made_at)
    dropped = sum(remains.dropped.values())
    sentence = (
        f"process {remains.identity.pid}{f' ({program})' if program else ''} ended without a verdict: "
        f"it was last seen at {timestamp(remains.last_seen_at)}, {after_s:.1f} s after its first pool, "
        f"with {plural(open_pools, 'pool')} open, {plural(out, 'connection')} out "
        f"and {plural(len(remains.waiting), 'request')} waiting"
    )
    return f"{sentence}; {plural(dropped, 'record')} had no room" if dropped else sentence


def events(remains: Remains, found: int) -> Iterator[tuple[str, Event]]:
    """Everything but the findings, as event names and fields.

    Args:
        remains: what was read.
        found: how many findings follow.
    """
    pools = worth_telling(remains)
    out = sum(len(pool.checkouts) for pool in pools)
    process = remains.snapshot.process
    yield (
        "poolwitness.postmortem",
        {
            "level": "warning" if out or remains.waiting or found else "info",
            "message": headline(remains),
            "poolwitness.blackbox": remains.path,
            "poolwitness.program": process.argv0,
            "poolwitness.last_seen_at": timestamp(remains.last_seen_at),
            "poolwitness.begun_at": timestamp(remains.made_at),
            "poolwitness.pools_open": sum(1 for pool in pools if pool.life.state == "open" and not pool.life.inherited),
            "poolwitness.pools_closed": sum(1 for pool in remains.snapshot.pools if pool.life.state == "closed"),
            "poolwitness.connections_out": out,
            "poolwitness.requests_waiting": len(remains.waiting),
            "poolwitness.findings": found,
            "poolwitness.records_dropped": sum(remains.dropped.values()),
            "poolwitness.version.poolwitness": remains.agent,
            **{
                f"poolwitness.version.{name}": ".".join(map(str, version)) for name, version in process.versions.items()
            },
        },
    )
    for pool in pools:
        waiting = [request for request in remains.waiting if request.pool_id == pool.info.id]
        yield "poolwitness.pool.state", _pool(pool, waiting)
        for rank, checkout in enumerate(pool.checkouts, start=1):
            yield "poolwitness.holder", _holder(pool, rank, checkout)
        for request in waiting:
            yield "poolwitness.request", _request(pool, request)


def _pool(pool: PoolRecord, waiting: list[WaitingRequest]) -> Event:
    state = _STATES.get(pool.life.state, pool.life.state)
    lost = f", {plural(len(pool.lost), 'slot')} lost for good" if pool.lost else ""
    return {
        "level": "info",
        "message": (
            f"{pool_label(pool)}, made at {at_line(pool.info.created.origin)}, {state} when the process ended: "
            f"{out_of(len(pool.checkouts), pool.most)} out, "
            f"{plural(len(waiting), 'request')} waiting{lost}"
        ),
        **pool_fields(pool),
        **code_fields(pool.info.created),
        "poolwitness.pool.state": pool.life.state,
        "poolwitness.pool.inherited": pool.life.inherited,
        "poolwitness.connections_out": len(pool.checkouts),
        "poolwitness.requests_waiting": len(waiting),
        "poolwitness.slots_lost": len(pool.lost),
        **{f"poolwitness.stats.{key}": value for key, value in pool.stats.items()},
    }


def _holder(pool: PoolRecord, rank: int, checkout: CheckoutRecord) -> Event:
    return {
        "level": "info",
        "message": (
            f"a connection of {pool_label(pool)}, taken at {at_call(checkout.taken)} by {holder_of(checkout)} "
            f"{checkout.held_s:.1f} s before, was out when the process ended{state_of(checkout)}"
        ),
        "poolwitness.rank": rank,
        "poolwitness.checkout.id": checkout.id,
        "poolwitness.held_s": round(checkout.held_s, 6),
        "poolwitness.holder": checkout.holder,
        "poolwitness.holder_kind": "task" if checkout.in_task else "thread",
        "poolwitness.holder_alive": checkout.holder_alive,
        "poolwitness.transaction": checkout.status,
        "db.client.connection.pool.name": pool.info.name[:256],
        "poolwitness.pool.id": pool.info.id,
        **code_fields(checkout.taken),
    }


def state_of(checkout: CheckoutRecord) -> str:
    """How a checkout stood at the last sweep, for the end of a sentence."""
    seen = "" if checkout.status == "unknown" else f", {checkout.status} at the last look"
    ended = "" if checkout.holder_alive else f"; the {'task' if checkout.in_task else 'thread'} had ended"
    return seen + ended


def _request(pool: PoolRecord, request: WaitingRequest) -> Event:
    kind = "task" if request.in_task else "thread"
    return {
        "level": "info",
        "message": (
            f"{kind} {request.holder!r} had waited {request.waited_s:.1f} s for a connection of {pool_label(pool)} at "
            f"{at_line(request.request.origin)} when the process ended"
        ),
        "poolwitness.waited_s": round(request.waited_s, 6),
        "poolwitness.holder": request.holder,
        "poolwitness.holder_kind": kind,
        "db.client.connection.pool.name": pool.info.name[:256],
        "poolwitness.pool.id": pool.info.id,
        **code_fields(request.request),
    }
