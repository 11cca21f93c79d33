"""Requests that got no connection: the cause, who holds what, and the remedies (PW201)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from poolwitness.diagnose.capacity import connect_advice, error_text, last_error
from poolwitness.diagnose.registry import rule
from poolwitness.model.findings import Finding
from poolwitness.model.records import CheckoutRecord, PoolRecord, Snapshot
from poolwitness.model.wording import at_call, at_line, holder_of, holder_row, out_of, plural, pool_label

# Rows in a note, and holder events of one report.
MOST_HOLDERS = 8


@rule(
    "PW201", "pool-exhausted", "a request got no connection", confidence="proven", level="error",
    fields=("exception.type", "poolwitness.request_at", "poolwitness.waited_s", "poolwitness.holder", "poolwitness.requests_waiting", "poolwitness.slots_out", "poolwitness.slots_lost"),
    lists_holders=True,
)  # fmt: skip
def exhausted(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    found = pool.exhaustion
    if found is None:
        return
    worst = worst_first(pool)
    if pool.misuse.crossed_loops is not None and not worst:
        return  # PW402 has the reason why no connection is returned
    if worst:
        first = worst[0]
        who = f"{out_of(len(worst), pool.most)} out, the oldest for {first.held_s:.1f} s, taken at {at_call(first.taken)} by {holder_of(first)}, {first.status}"
    elif pool.connects.failing:
        who = f"no connection could be made: {error_text(last_error(pool))}"
    elif pool.connects.attempts == pool.connects.failures:
        who = "it has not made a connection yet"
    else:
        who = "nobody holds a connection now"
    yield exhausted.finding(
        message=f"{pool_label(pool)} had no connection for the request at {at_call(found.request)} ({found.error_type}): {who}{_lost(pool)}",
        fix=" ".join(f"({number}) {remedy}." for number, remedy in enumerate(remedies(pool), start=1)),
        key=(pool.info.id, found.episode),
        pool=pool,
        stack=worst[0].taken if worst else found.request,
        extra={
            "exception.type": found.error_type,
            "poolwitness.request_at": found.request.place,
            "poolwitness.waited_s": round(found.waited_s, 6),
            "poolwitness.holder": found.holder[:200],
            "poolwitness.requests_waiting": pool.stats.get("requests_waiting", 0),
            "poolwitness.slots_out": len(worst),
            "poolwitness.slots_lost": len(pool.lost),
        },
    )


def worst_first(pool: PoolRecord) -> list[CheckoutRecord]:
    """The holders, those that have held longest first."""
    return sorted(pool.checkouts, key=lambda checkout: -checkout.held_s)


def timeout_note(pool: PoolRecord, taken_at: float) -> str:
    """A few lines for `BaseException.add_note`: the pool, the holders, what to do; *taken_at* is when that was seen."""
    holders = worst_first(pool)
    waiting = pool.stats.get("requests_waiting", 0)
    name = pool.info.name if len(pool.info.name) <= 60 else pool.info.name[:57] + "..."
    head = f"poolwitness: pool {name!r} (made at {at_line(pool.info.created.origin)}) has {out_of(len(holders), pool.most)} out"
    if waiting:
        head += f", {plural(waiting, 'request')} waiting"
    lines = [f"{head}{_lost(pool)}."]
    lines += [f"  {holder_row(holder)}" for holder in holders[:MOST_HOLDERS]]
    if len(holders) > MOST_HOLDERS:
        lines.append(f"  … and {len(holders) - MOST_HOLDERS} more")
    lost = Counter(f"taken at {at_call(gone.taken)} by {holder_of(gone)}" for gone in pool.lost)
    for where, count in lost.most_common(3):
        times = f" {count} times" if count > 1 else ""
        lines.append(f"  lost{times}: {where}, garbage-collected without being returned")
    if not holders and not pool.lost:
        lines.append("  nobody holds a connection.")
    for error in sorted(pool.connects.errors, key=lambda error: -error.last_at)[:3]:
        state = "connecting fails" if pool.connects.failing else "connecting failed before"
        age_s = max(0.0, taken_at - error.last_at)
        lines.append(f"  {state} ({plural(error.count, 'time')}, last {age_s:.1f} s ago): {error_text(error)}")
    lines.append("What to do, likeliest first:")
    lines += [f"  {number}. {remedy}" for number, remedy in enumerate(remedies(pool), start=1)]
    return "\n".join(lines)


def _lost(pool: PoolRecord) -> str:
    return f", {plural(len(pool.lost), 'slot')} lost for good" if pool.lost else ""


def remedies(pool: PoolRecord) -> list[str]:
    """One to three things to do, likeliest first, for the state that the pool is in."""
    advice: list[str] = []
    holders, size, request = worst_first(pool), pool.most, pool.exhaustion
    if pool.misuse.crossed_loops is not None:
        advice.append("use the pool on the loop that it was opened on (PW402)")
    if pool.connects.failing and pool.connects.errors:
        advice.append(connect_advice(last_error(pool)))
    workers = [worker for worker in pool.workers if worker.role == "worker"]
    if workers and all(worker.error_type or not worker.alive for worker in workers):
        advice.append("make the pool anew: all its workers are dead, so it cannot connect any more (PW301)")
    if pool.lost:
        advice.append(f"return the connections taken at {_lines(list(pool.lost))}: they were lost (PW101)")
    gone = [holder for holder in holders if not holder.holder_alive]
    if gone:
        advice.append(f"return the connections taken at {_lines(gone)}: the threads or tasks that took them have ended")
    if request is not None:
        if any(fault.kind == "nested" and fault.at.origin == request.request.origin for fault in pool.misuse.faults):
            advice.append("hand the first connection on instead of taking a second (PW106)")
        if any(holder.holder == request.holder and holder.held_s > request.waited_s for holder in holders):
            at = at_line(request.request.holding)
            advice.append(f"do not ask for a second connection at {at} while the same holder has one")
    waiting = [holder for holder in holders if holder.status == "idle in transaction"]
    if waiting:
        at = _lines(waiting)
        advice.append(f"end the transaction at {at} before work that is not the database's: it is idle in transaction")
    if holders and len(advice) < 3:
        active = [holder for holder in holders if holder.status == "active"]
        if active and len(active) * 2 > len(holders):
            advice.append("look at the queries that are running: the database is what takes the time")
        elif not waiting and not gone:
            advice.append(f"hold connections for a shorter time at {_lines(holders)}")
    if len(advice) < 3 and 0 < size <= len(holders) and not gone:
        advice.append(f"raise max_size ({size}) if the server has connections to spare, or make fewer requests at once")
    return advice[:3] or ["raise the timeout, or min_size so that connections are ready before they are asked for"]


def _lines(holders: list[CheckoutRecord]) -> str:
    places = list(dict.fromkeys(at_call(holder.taken) for holder in holders))
    return ", ".join(places[:2]) + (f" and {len(places) - 2} more" if len(places) > 2 else "")
