"""The sentences of a state report: about a process that runs, and about one that was killed."""

from __future__ import annotations

import math

from poolwitness.model.records import CheckoutRecord, PoolRecord, WaitingRequest, WorkerRecord
from poolwitness.model.wording import at_call, at_line, holder_of, holder_row, out_of, plural, pool_label

_IS = {"new": "never opened", "closing": "closing", "closed": "closed", "dropped": "garbage-collected while open"}
_WAS = {
    "new": "had not been opened",
    "open": "was open",
    "closed": "was closed",
    "dropped": "had been garbage-collected while open",
}


def about_pool(pool: PoolRecord, ended: bool) -> str:
    """What a pool has."""
    waiting = plural(pool.stats.get("requests_waiting", 0), "request")
    if ended:
        state = _WAS.get(pool.life.state, pool.life.state)
        lost = f", {plural(len(pool.lost), 'slot')} lost for good" if pool.lost else ""
        return (
            f"{pool_label(pool)}, made at {at_line(pool.info.created.origin)}, {state} when the process ended: "
            f"{out_of(len(pool.checkouts), pool.most)} out, {waiting} waiting{lost}"
        )
    state = f", {_IS[pool.life.state]}," if pool.life.state in _IS else ""
    alive = sum(1 for worker in pool.workers if worker.alive)
    return (
        f"{pool_label(pool)}{state} has {plural(pool.stats.get('pool_size', 0), 'connection')}: {len(pool.checkouts)} out, "
        f"{pool.stats.get('pool_available', 0)} idle, {waiting} waiting; "
        f"{alive} of {len(pool.workers)} workers and schedulers alive"
    )


def about_checkout(pool: PoolRecord, rank: int, checkout: CheckoutRecord, ended: bool) -> str:
    """Who has a connection."""
    if ended:
        seen = "" if checkout.status == "unknown" else f", {checkout.status} at the last look"
        gone = "" if checkout.holder_alive else f"; the {'task' if checkout.in_task else 'thread'} had ended"
        return (
            f"a connection of {pool_label(pool)}, taken at {at_call(checkout.taken)} by {holder_of(checkout)} "
            f"{checkout.held_s:.1f} s before, was out when the process ended{seen}{gone}"
        )
    if math.isnan(checkout.held_s):
        kept = f"; kept alive by {checkout.retained_by}" if checkout.retained_by else ""
        at = f"; now at {at_line(checkout.where.holding)}" if checkout.where and checkout.where.holding else ""
        return f"holder {rank} of {pool_label(pool)}: unknown, {checkout.status}{kept}{at}"
    return f"holder {rank} of {pool_label(pool)}: {holder_row(checkout).strip()}"


def about_request(pool: PoolRecord, request: WaitingRequest, ended: bool) -> str:
    """What waits for a connection."""
    return (
        f"{'task' if request.in_task else 'thread'} {request.holder!r} {'had' if ended else 'has'} waited "
        f"{request.waited_s:.1f} s for a connection of {pool_label(pool)} at {at_line(request.request.origin)}"
        f"{' when the process ended' if ended else ''}"
    )


def about_worker(pool: PoolRecord, worker: WorkerRecord) -> str:
    """What a worker died of, or is doing."""
    name = f"{worker.role} {worker.name!r} of {pool_label(pool)}"
    if worker.error_type:
        return f"{name} died of {worker.error_type}" + (f": {worker.error_text}" if worker.error_text else "")
    if not worker.alive:
        return f"{name} is dead"
    at = f", now at {at_line(worker.where.origin)}" if worker.where is not None and worker.where.origin else ""
    return f"{name} has been in {worker.task} for {worker.busy_s:.1f} s{at}"
