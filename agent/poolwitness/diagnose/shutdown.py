"""A program that is ending but blocked (PW004)."""

from __future__ import annotations

from collections.abc import Iterator

from poolwitness.diagnose.registry import SNAPSHOT, own_pools, rule
from poolwitness.model.findings import Finding
from poolwitness.model.records import Ending, PoolRecord, Snapshot
from poolwitness.model.wording import at_line, format_stack, pool_made, raised

# Supervisors usually wait 30 s, and what ends at all does so within the 5 s that psycopg_pool waits.
PATIENCE_S = 10.0


@rule(
    "PW004", "exit-hung", "the program is ending and cannot", confidence="probable", level="error", subject=SNAPSHOT,
    fields=("poolwitness.ending_s", "poolwitness.waits_for", "poolwitness.waits_for_count", "poolwitness.pools_open_at", "poolwitness.waits_at", "poolwitness.waits_stacktrace", "exception.type", "poolwitness.raised_at"),
)  # fmt: skip
def exit_hung(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each attempt to end."""
    ending, pools = snapshot.ending, list(own_pools(snapshot))
    if ending is None or not pools:
        return
    limit_s = min(PATIENCE_S, snapshot.held_limit_s)
    # A program whose threads go on using a pool is meant to run in them, unless an exception ended the main thread.
    if (ending.seconds if ending.exception else ending.quiet_s) < limit_s:
        return
    pool = next((pool for pool in pools if pool.info.id == ending.pool_id), None)
    where = ending.where
    at = where.origin if where is not None else None
    if at is not None and at.kind not in ("application", "installed"):
        at = None
    open_at = [each.info.created.place for each in pools if each.life.state == "open"]
    yield exit_hung.finding(
        message=_sentence(ending, pool, f", now at {at_line(at)}" if at is not None else ""),
        fix=_advice(ending),
        key=(ending.since_mono,),
        pool=pool,
        stack=where if at is not None or pool is None else None,
        extra={
            "poolwitness.ending_s": round(ending.seconds, 6),
            "poolwitness.waits_for": ending.waits_for[:200],
            "poolwitness.waits_for_count": ending.count,
            "poolwitness.pools_open_at": [place for place in open_at if place][:8],
            "poolwitness.waits_at": at.place if at is not None else None,
            "poolwitness.waits_stacktrace": format_stack(where, 16) if at is None and where is not None else None,
            "exception.type": ending.exception or None,
            "poolwitness.raised_at": ending.raised_at.place if ending.raised_at is not None else None,
        },
    )


def _sentence(ending: Ending, pool: PoolRecord | None, stands: str) -> str:
    others = f" and {ending.count - 1} more" if ending.count > 1 else ""
    which = f"{pool_made(pool)}," if pool is not None else "the pools"
    if ending.kind == "tasks":
        were = "was" if ending.count <= 1 else "were"
        if ending.waits_for_pool and pool is not None:
            what = f"{ending.waits_for}{others} of {which} {were} cancelled in the middle of a task of its own{stands} and went back to its queue"
        else:
            what = f"{ending.waits_for}{others} {were} cancelled and {'goes' if were == 'was' else 'go'} on{stands}"
        return f"asyncio.run has been finishing for {ending.seconds:.1f} s and cannot: {what}"
    because = f", of {raised(ending.exception, ending.raised_at)}," if ending.exception else ""
    over = "asyncio.run is closing its loop" if ending.kind == "loop" else "the main thread is over"
    kind = "a daemon" if ending.count == 1 else "daemons"
    return (
        f"the program has been ending for {ending.seconds:.1f} s{because} and cannot: {over} and waits for "
        f"{ending.waits_for}{others}, not {kind}{stands}; no atexit callback has run, so {which} cannot be closed by one"
    )


def _advice(ending: Ending) -> str:
    if ending.kind != "tasks":
        threads = "that thread" if ending.count == 1 else "those threads"
        return (
            f"have {threads} end before the main thread does (an Event to look at, a last item in the queue), or be started "
            "with daemon=True; close pools by `with` around the program: atexit comes too late for that"
        )
    if ending.waits_for_pool:
        return "close the pool inside the coroutine that asyncio.run runs, best with `async with AsyncConnectionPool(...) as pool:` around its work, and give connects an end with connect_timeout"
    return "let the task end when it is cancelled: a loop must not catch CancelledError, nor BaseException, and go on"
