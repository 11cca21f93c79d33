"""A snapshot as events: the report on a signal, `poolwitness dump` and `poolwitness postmortem` all use this."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from poolwitness.model.findings import Finding
from poolwitness.model.records import CheckoutRecord, PoolRecord, Snapshot, Stack, WaitingRequest, WorkerRecord
from poolwitness.model.wording import (
    at_call,
    at_line,
    format_stack,
    holder_of,
    holder_row,
    out_of,
    plural,
    pool_label,
    pool_made,
    raised,
)
from poolwitness.report.build import (
    STACK_FRAMES,
    Event,
    checkout_fields,
    code_fields,
    finding,
    known,
    pool_fields,
    pool_key,
)

MOST_EVENTS = 500

Named = tuple[str, Event]

_IS = {"new": "never opened", "closing": "closing", "closed": "closed", "dropped": "garbage-collected while open"}
_WAS = {
    "new": "had not been opened",
    "open": "was open",
    "closed": "was closed",
    "dropped": "had been garbage-collected while open",
}


class StateReport:
    """What is reported of one process at one moment.

    Args:
        snapshot: what was seen. In a checkout that the agent did not see, what is not known is NaN or empty.
        requests: the requests that wait, where each is known.
        ended: the process was killed, and this is what it left.
        most: the largest number of events of each kind.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        found: Sequence[Finding],
        requests: Sequence[WaitingRequest] = (),
        ended: bool = False,
        most: int = MOST_EVENTS,
    ) -> None:
        self.snapshot = snapshot
        self.found = found
        self.ended = ended
        self.most = most
        waited_for = {request.pool_id for request in requests}
        self.pools = [pool for pool in snapshot.pools if self._is_shown(pool) or pool.info.id in waited_for]
        self.workers = [
            (pool, worker) for pool in self.pools for worker in pool.workers if _is_noteworthy(pool, worker)
        ]
        self.checkouts = [
            (pool, rank, checkout) for pool in self.pools for rank, checkout in enumerate(oldest_first(pool), start=1)
        ]
        by_id = {pool.info.id: pool for pool in self.pools}
        self.requests = [(by_id[request.pool_id], request) for request in requests if request.pool_id in by_id]

    def state(self, asked_by: str, answered_by: str = "agent", unknown: Sequence[str] = (), left_out: int = 0) -> Named:
        """``poolwitness.state``: the process; *left_out* counts further things that have no line in the report."""
        process = self.process_fields()
        counts = sorted(Counter(each.rule.code for each in self.found).items())
        listed = ", ".join(f"{count} x {code}" for code, count in counts)
        message = (
            f"asked by {asked_by}: {plural(process['poolwitness.pools_open'], 'pool')} open, "
            f"{plural(process['poolwitness.connections_out'], 'connection')} out, "
            f"{plural(process['poolwitness.requests_waiting'], 'request')} waiting; {listed or 'nothing found'}"
        )
        kinds = (self.pools, self.workers, self.checkouts, self.requests, self.found)
        left_out += sum(max(0, len(each) - self.most) for each in kinds)
        event = {
            "level": "info",
            "message": message,
            "poolwitness.asked_by": asked_by,
            "poolwitness.answered_by": answered_by,
            **process,
            **{f"poolwitness.found.{code}": count for code, count in counts},
            "poolwitness.unknown": list(unknown) or None,
            "poolwitness.left_out": left_out or None,
        }
        return "poolwitness.state", known(event)

    def process_fields(self) -> Event:
        """What the report has, in numbers, and the installed releases."""
        process = self.snapshot.process
        versions = {"python": process.python, **process.versions}
        return {
            "poolwitness.pools_open": sum(1 for pool in self.pools if self._is_open(pool)),
            "poolwitness.pools_closed": sum(1 for pool in self.snapshot.pools if pool.life.state == "closed"),
            "poolwitness.connections_out": len(self.checkouts),
            "poolwitness.requests_waiting": sum(pool.stats.get("requests_waiting", 0) for pool in self.pools),
            "poolwitness.findings": len(self.found),
            **{f"poolwitness.version.{name}": ".".join(map(str, version)) for name, version in versions.items()},
        }

    def pool_events(self) -> Iterator[Named]:
        """The pools, then their workers, checkouts and requests."""
        for pool in self.pools[: self.most]:
            yield "poolwitness.pool.state", self._pool(pool)
        for pool, worker in self.workers[: self.most]:
            yield "poolwitness.worker", _worker(pool, worker)
        for pool, rank, checkout in self.checkouts[: self.most]:
            yield "poolwitness.holder", self._checkout(pool, rank, checkout)
        for pool, request in self.requests[: self.most]:
            yield "poolwitness.request", self._request(pool, request)

    def findings(self) -> Iterator[Named]:
        """What the rules say about it."""
        for found in self.found[: self.most]:
            yield "poolwitness.finding", finding(found)

    def _is_shown(self, pool: PoolRecord) -> bool:
        if pool.checkouts:
            return True
        if self.ended:
            return pool.life.state != "closed" and not pool.life.inherited
        return pool.life.state not in ("closed", "dropped")

    def _is_open(self, pool: PoolRecord) -> bool:
        return pool.life.state == "open" and not (self.ended and pool.life.inherited)

    def _pool(self, pool: PoolRecord) -> Event:
        life = pool.life
        alive = sum(1 for worker in pool.workers if worker.alive)
        opened_at = life.opened_at if life.state == "open" else None
        return known(
            {
                "level": "info",
                "message": _about_pool(pool, self.ended),
                **pool_fields(pool),
                **code_fields(pool.info.created),
                "poolwitness.pool.is_async": pool.info.is_async,
                "poolwitness.pool.state": life.state,
                "poolwitness.pool.inherited": life.inherited,
                "poolwitness.connections_out": len(pool.checkouts),
                "poolwitness.requests_waiting": pool.stats.get("requests_waiting", 0),
                "poolwitness.slots_lost": len(pool.lost),
                "poolwitness.slots_unaccounted": pool.unaccounted,
                "poolwitness.workers_alive": alive,
                "poolwitness.workers_dead": len(pool.workers) - alive,
                "poolwitness.pool.connect_failing": pool.connects.failing,
                **{f"poolwitness.stats.{key}": value for key, value in pool.stats.items()},
                "poolwitness.pool.open_s": _since_s(opened_at, self.snapshot.taken_at),
                "poolwitness.peak_in_use": pool.usage.peak_in_use or None,
                "poolwitness.kept_by": life.retained_by or None,
            }
        )

    def _checkout(self, pool: PoolRecord, rank: int, checkout: CheckoutRecord) -> Event:
        caller, where = checkout.taken.caller, checkout.where
        return known(
            {
                "level": "info",
                "message": _about_checkout(pool, rank, checkout, self.ended),
                "poolwitness.rank": rank,
                "poolwitness.checkout.id": checkout.id,
                **checkout_fields(pool, checkout),
                "poolwitness.called_at": caller.place if caller is not None else None,
                "poolwitness.holder_stacktrace": format_stack(where, STACK_FRAMES) if where is not None else None,
                "poolwitness.kept_by": checkout.retained_by or None,
            }
        )

    def _request(self, pool: PoolRecord, request: WaitingRequest) -> Event:
        return {
            "level": "info",
            "message": _about_request(pool, request, self.ended),
            "poolwitness.waited_s": round(request.waited_s, 6),
            "poolwitness.holder": request.holder[:200],
            "poolwitness.holder_kind": "task" if request.in_task else "thread",
            **pool_key(pool),
            **code_fields(request.request),
        }


def with_report_id(events: Iterable[Named], more: Mapping[str, Any] | None = None) -> Iterator[Named]:
    """The events of one report with the identifier that they have in common, and further fields."""
    common = {"poolwitness.report_id": os.urandom(8).hex(), **(more or {})}
    for name, event in events:
        yield name, {**event, **common}


def oldest_first(pool: PoolRecord) -> list[CheckoutRecord]:
    """The checkouts of a pool; those of unknown age last."""
    return sorted(pool.checkouts, key=lambda checkout: -checkout.held_s if not math.isnan(checkout.held_s) else 0.0)


def thread_event(name: str, is_main: bool, stack: Stack | None) -> Named:
    """``poolwitness.thread``: a thread of a process without the agent."""
    at = f" is at {stack.origin.place} in {stack.origin.function}" if stack is not None and stack.origin else ""
    event = {
        "level": "info",
        "message": f"thread {name!r}{at}",
        "thread.name": name,
        "poolwitness.main_thread": is_main,
    }
    return "poolwitness.thread", {**event, **code_fields(stack)}


def _since_s(at: float | None, now: float) -> float | None:
    return round(max(0.0, now - at), 6) if at is not None else None


def _is_noteworthy(pool: PoolRecord, worker: WorkerRecord) -> bool:
    return pool.life.state == "open" and (not worker.alive or bool(worker.error_type) or bool(worker.task))


def _worker(pool: PoolRecord, worker: WorkerRecord) -> Event:
    where = worker.where
    ours = where.application[0] if where is not None and where.application else None
    return known(
        {
            "level": "info",
            "message": _about_worker(pool, worker),
            "poolwitness.worker.name": worker.name,
            "poolwitness.worker.role": worker.role,
            "poolwitness.worker.alive": worker.alive,
            **pool_key(pool),
            "poolwitness.worker.task": worker.task or None,
            "poolwitness.worker.busy_s": round(worker.busy_s, 6) if worker.task else None,
            "poolwitness.worker.stacktrace": format_stack(where, STACK_FRAMES) if where is not None else None,
            "poolwitness.worker.at": ours.place if ours is not None else None,
            "exception.type": worker.error_type or None,
            "poolwitness.raised_at": worker.raised_at.place if worker.raised_at is not None else None,
        }
    )


def _about_pool(pool: PoolRecord, ended: bool) -> str:
    waiting = plural(pool.stats.get("requests_waiting", 0), "request")
    if ended:
        state = _WAS.get(pool.life.state, pool.life.state)
        lost = f", {plural(len(pool.lost), 'slot')} lost for good" if pool.lost else ""
        return (
            f"{pool_made(pool)}, {state} when the process ended: "
            f"{out_of(len(pool.checkouts), pool.most)} out, {waiting} waiting{lost}"
        )
    state = f", {_IS[pool.life.state]}," if pool.life.state in _IS else ""
    alive = sum(1 for worker in pool.workers if worker.alive)
    return (
        f"{pool_label(pool)}{state} has {plural(pool.stats.get('pool_size', 0), 'connection')}: {len(pool.checkouts)} out, "
        f"{pool.stats.get('pool_available', 0)} idle, {waiting} waiting; "
        f"{alive} of {len(pool.workers)} workers and schedulers alive"
    )


def _about_checkout(pool: PoolRecord, rank: int, checkout: CheckoutRecord, ended: bool) -> str:
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


def _about_request(pool: PoolRecord, request: WaitingRequest, ended: bool) -> str:
    return (
        f"{'task' if request.in_task else 'thread'} {request.holder!r} {'had' if ended else 'has'} waited "
        f"{request.waited_s:.1f} s for a connection of {pool_label(pool)} at {at_line(request.request.origin)}"
        f"{' when the process ended' if ended else ''}"
    )


def _about_worker(pool: PoolRecord, worker: WorkerRecord) -> str:
    name = f"{worker.role} {worker.name!r} of {pool_label(pool)}"
    if worker.error_type:
        return f"{name} died of {raised(worker.error_type, worker.raised_at)}"
    if not worker.alive:
        return f"{name} is dead"
    at = f", now at {at_line(worker.where.origin)}" if worker.where is not None and worker.where.origin else ""
    return f"{name} has been in {worker.task} for {worker.busy_s:.1f} s{at}"
