"""Compare what a pool counts with what can be seen: slots that nobody has are not coming back."""

from __future__ import annotations

from poolwitness.ledger.pools import TrackedPool

# A connection may be between two hands for a moment; three looks apart it is not.
LOOKS = 3


def balance(entry: TrackedPool) -> None:
    """Update ``entry.unaccounted``; connections that workers are making, mending or resetting are given their time."""
    pool = entry.ref()
    connects = entry.connects
    if pool is None or entry.state != "open" or entry.inherited:
        return
    busy = bool(entry.stints) or (connects is not None and (connects.failing or connects.in_flight > 0))
    tasks = getattr(pool, "_tasks", None)
    if busy or tasks is None or tasks.qsize() or connects is None:
        entry.unaccounted_looks = 0
        return
    missing = pool._nconns - len(pool._pool) - len(entry.taken()) - len(entry.lost)
    if missing <= 0:
        entry.unaccounted_looks = entry.unaccounted = 0
        return
    entry.unaccounted_looks += 1
    if entry.unaccounted_looks >= LOOKS:
        entry.unaccounted = missing
