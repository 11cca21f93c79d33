"""The note on a PoolTimeout: what a colleague would answer who knew who holds what."""

from __future__ import annotations

import time
from collections import Counter

from poolwitness.diagnose.capacity import error_text, out_of, remedies, worst_first
from poolwitness.diagnose.checkouts import holder_of
from poolwitness.model.records import CheckoutRecord, PoolRecord
from poolwitness.model.wording import at_call, at_line, plural

MOST_HOLDERS = 8


def note_of(pool: PoolRecord) -> str:
    """A few lines for `BaseException.add_note`: the pool, the holders, what to do.

    Args:
        pool: the exhausted pool, with its checkouts and where their holders stand.
    """
    holders = worst_first(pool)
    waiting = pool.stats.get("requests_waiting", 0)
    name = pool.info.name if len(pool.info.name) <= 60 else pool.info.name[:57] + "..."
    head = f"poolwitness: pool {name!r} (made at {at_line(pool.info.created.origin)}) has {out_of(len(holders), pool.most)} out"
    if waiting:
        head += f", {plural(waiting, 'request')} waiting"
    if pool.lost:
        head += f", {plural(len(pool.lost), 'slot')} lost for good"
    lines = [head + "."]
    lines += [f"  {row}" for row in holder_rows(holders)]
    if len(holders) > MOST_HOLDERS:
        lines.append(f"  … and {len(holders) - MOST_HOLDERS} more")
    lost = Counter(f"taken at {at_call(gone.taken)} by {holder_of(gone)}" for gone in pool.lost)
    for where, count in lost.most_common(3):
        lines.append(
            f"  lost{f' {count} times' if count > 1 else ''}: {where}, garbage-collected without being returned"
        )
    if not holders and not pool.lost:
        lines.append("  nobody holds a connection.")
    for error in sorted(pool.connects.errors, key=lambda error: -error.last_at)[:3]:
        state = "connecting fails" if pool.connects.failing else "connecting failed before"
        age_s = max(0.0, time.time() - error.last_at)
        lines.append(f"  {state} ({plural(error.count, 'time')}, last {age_s:.1f} s ago): {error_text(error)}")
    lines.append("What to do, likeliest first:")
    lines += [f"  {number}. {remedy}" for number, remedy in enumerate(remedies(pool), start=1)]
    return "\n".join(lines)


def holder_rows(holders: list[CheckoutRecord]) -> list[str]:
    """One line a holder."""
    return [holder_row(holder) for holder in holders[:MOST_HOLDERS]]


def holder_row(holder: CheckoutRecord) -> str:
    """Seconds held, line, thread or task, transaction state, and where it stands now."""
    status = holder.status.upper() if holder.status == "idle in transaction" else holder.status
    row = f"{holder.held_s:6.1f} s  {at_call(holder.taken)}  by {holder_of(holder)}, {status}"
    if not holder.holder_alive:
        return f"{row}; {'the task' if holder.in_task else 'the thread'} has ended"
    if holder.where is not None and holder.where.origin is not None:
        row += f"; now at {at_line(holder.where.holding)}"
        inner = holder.where.frames[0]
        if inner != holder.where.holding:
            row += f" (in {inner.function})"
    return row
