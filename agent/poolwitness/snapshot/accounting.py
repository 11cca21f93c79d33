"""Compare the connections that a pool counts with those that it or a holder has: the others are lost."""

from __future__ import annotations

from poolwitness.ledger.pools import TrackedPool

# A connection may be between two holders for a moment; three sweeps apart it is not.
SWEEPS = 3


def check_slots(pool: TrackedPool) -> None:
    """Update ``pool.unaccounted``, unless a worker is creating, closing or resetting a connection."""
    host, connects = pool.ref(), pool.connects
    if host is None or pool.state != "open" or pool.inherited:
        return
    busy = bool(pool.worker_tasks) or (connects is not None and (connects.failing or connects.in_flight > 0))
    tasks = getattr(host, "_tasks", None)
    if busy or tasks is None or tasks.qsize() or connects is None:
        pool.unaccounted_looks = 0
        return
    missing = host._nconns - len(host._pool) - len(pool.taken()) - len(pool.lost)
    if missing <= 0:
        pool.unaccounted_looks = pool.unaccounted = 0
        return
    pool.unaccounted_looks += 1
    if pool.unaccounted_looks >= SWEEPS:
        pool.unaccounted = missing
