"""A snapshot as events: the report on a signal, `poolwitness dump` and `poolwitness postmortem` all use this."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from poolwitness.model.findings import Finding
from poolwitness.model.records import CheckoutRecord, PoolRecord, Snapshot, Stack, WaitingRequest, WorkerRecord
from poolwitness.model.wording import format_stack, plural
from poolwitness.report import state_messages as sentences
from poolwitness.report.build import STACK_FRAMES, Event, checkout_fields, code_fields, finding, pool_fields, pool_key

MOST_EVENTS = 500

Named = tuple[str, Event]


class StateReport:
    """What is reported of one process at one moment.

    Args:
        snapshot: what was seen. In a checkout that the agent did not see, what is not known is NaN or empty.
        found: what the rules say about it.
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
        """``poolwitness.state``: the process.

        Args:
            asked_by: for example ``SIGUSR2``.
            answered_by: ``agent`` or ``heap``.
            unknown: what could not be known, in sentences.
            left_out: further things that have no line in the report.
        """
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
        event: Event = {
            "level": "info",
            "message": message,
            "poolwitness.asked_by": asked_by,
            "poolwitness.answered_by": answered_by,
            **process,
            **{f"poolwitness.found.{code}": count for code, count in counts},
        }
        if unknown:
            event["poolwitness.unknown"] = list(unknown)
        if left_out:
            event["poolwitness.left_out"] = left_out
        return "poolwitness.state", event

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
        alive = sum(1 for worker in pool.workers if worker.alive)
        event: Event = {
            "level": "info",
            "message": sentences.about_pool(pool, self.ended),
            **pool_fields(pool),
            **code_fields(pool.info.created),
            "poolwitness.pool.is_async": pool.info.is_async,
            "poolwitness.pool.state": pool.life.state,
            "poolwitness.pool.inherited": pool.life.inherited,
            "poolwitness.connections_out": len(pool.checkouts),
            "poolwitness.requests_waiting": pool.stats.get("requests_waiting", 0),
            "poolwitness.slots_lost": len(pool.lost),
            "poolwitness.slots_unaccounted": pool.unaccounted,
            "poolwitness.workers_alive": alive,
            "poolwitness.workers_dead": len(pool.workers) - alive,
            "poolwitness.pool.connect_failing": pool.connects.failing,
            **{f"poolwitness.stats.{key}": value for key, value in pool.stats.items()},
        }
        if pool.life.opened_at is not None and pool.life.state == "open":
            event["poolwitness.pool.open_s"] = round(max(0.0, self.snapshot.taken_at - pool.life.opened_at), 6)
        if pool.usage.peak_in_use:
            event["poolwitness.peak_in_use"] = pool.usage.peak_in_use
        if pool.life.retained_by:
            event["poolwitness.kept_by"] = pool.life.retained_by
        return event

    def _checkout(self, pool: PoolRecord, rank: int, checkout: CheckoutRecord) -> Event:
        event: Event = {
            "level": "info",
            "message": sentences.about_checkout(pool, rank, checkout, self.ended),
            "poolwitness.rank": rank,
            "poolwitness.checkout.id": checkout.id,
            **checkout_fields(pool, checkout),
        }
        if checkout.taken.caller is not None:
            event["poolwitness.called_at"] = checkout.taken.caller.place
        if checkout.where is not None:
            event["poolwitness.holder_stacktrace"] = format_stack(checkout.where, STACK_FRAMES)
        if checkout.retained_by:
            event["poolwitness.kept_by"] = checkout.retained_by
        return event

    def _request(self, pool: PoolRecord, request: WaitingRequest) -> Event:
        return {
            "level": "info",
            "message": sentences.about_request(pool, request, self.ended),
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


def _is_noteworthy(pool: PoolRecord, worker: WorkerRecord) -> bool:
    return pool.life.state == "open" and (not worker.alive or bool(worker.error_type) or bool(worker.task))


def _worker(pool: PoolRecord, worker: WorkerRecord) -> Event:
    event: Event = {
        "level": "info",
        "message": sentences.about_worker(pool, worker),
        "poolwitness.worker.name": worker.name,
        "poolwitness.worker.role": worker.role,
        "poolwitness.worker.alive": worker.alive,
        **pool_key(pool),
    }
    if worker.task:
        event["poolwitness.worker.task"] = worker.task
        event["poolwitness.worker.busy_s"] = round(worker.busy_s, 6)
    if worker.where is not None:
        event["poolwitness.worker.stacktrace"] = format_stack(worker.where, STACK_FRAMES)
        if worker.where.application:
            event["poolwitness.worker.at"] = worker.where.application[0].place
    if worker.error_type:
        event["exception.type"] = worker.error_type
    if worker.error_text:
        event["exception.message"] = worker.error_text
    return event
