"""The observer behind the output ``otel``: feeds the application's meter provider, and ends before it is shut down."""

from __future__ import annotations

import atexit
from collections.abc import Callable

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observer
from poolwitness.model.process_end import is_forked_by_multiprocessing, runs_finalizers
from poolwitness.model.records import Snapshot
from poolwitness.otel.atexit_order import nobody_closes_pools_after
from poolwitness.otel.logs import OtelSink, provider_of
from poolwitness.otel.metrics import PoolMetrics, PoolNow
from poolwitness.otel.timings import Timings
from poolwitness.report.redact import clean_text


class OtelSession(Observer):
    """One process's metrics, and the right moment for its last log records.

    Args:
        ledger: where the pools are tracked.
        sink: hands log records to the application's provider.
        timings: what was measured.
        give_verdict: gives the verdict now.
        guard: contains what our lines raise.
    """

    def __init__(
        self, ledger: Ledger, sink: OtelSink, timings: Timings, give_verdict: Callable[[], None], guard: Guard
    ) -> None:
        self.ledger = ledger
        self.sink = sink
        self.timings = timings
        self.give_verdict = give_verdict
        self.guard = guard
        # One object each, to be found again among Python's callbacks.
        self._last_call = self.last_call
        self._collect = self.collect
        self._is_last_call = False
        sink.adopted = self._adopted
        self.metrics: PoolMetrics | None = None

    def install(self) -> None:
        """Take the application's logger provider, if it has one: the sooner, the fewer callbacks follow `last_call`."""
        with self.guard:
            self.sink.adopt()

    def uninstall(self) -> None:
        """Leave the program as it was found; the instruments stay, and observe nothing."""
        atexit.unregister(self._collect)
        atexit.unregister(self._last_call)

    # events

    def pool_creating(self) -> None:
        self.collect()

    def synchronized(self) -> None:
        if self.metrics is None:
            self.collect()

    def swept(self, snapshot: Snapshot) -> None:
        self.collect()

    def forked(self) -> None:
        self.sink.after_fork()

    def process_ending(self, hook: str) -> None:
        """Leave a provider alone that was shut down: what is reported from here on is for stderr."""
        if runs_finalizers(hook) and not self._is_last_call:
            self.sink.end()

    def verdict_given(self) -> None:
        self.sink.flush()
        self.sink.end()

    # metrics

    def collect(self) -> None:
        """Give the measurements to the application's meter provider, once it has one."""
        with self.guard:
            if not self.guard.enabled:
                return
            self.sink.adopt()
            if self.metrics is None:
                provider = provider_of("metrics")
                if provider is None:
                    return
                self.metrics = PoolMetrics(provider, self.pools)
                # Before the provider, which was there earlier, collects for the last time.
                atexit.register(self._collect)
            for kind, pool, seconds in self.timings.take():
                self.metrics.record(kind, clean_text(pool.name, 256), seconds)

    def pools(self) -> list[PoolNow]:
        """The pools that are open."""
        now: list[PoolNow] = []
        with self.guard:
            if not self.guard.enabled:
                return now
            for pool in self.ledger.pools.copy().values():
                if pool.state != "open" or pool.inherited:
                    continue
                stats = pool.stats()
                size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
                name = clean_text(pool.name, 256)
                now.append(PoolNow(name, idle, max(0, size - idle), pool.max_size, stats.get("requests_waiting", 0)))
        return now

    # the end

    def _adopted(self) -> None:
        # Registered later than the provider's own shutdown, it is called earlier.
        atexit.register(self._last_call)

    def last_call(self) -> None:
        """The provider is about to be shut down: give the verdict through it, if no pool can be closed any more."""
        with self.guard:
            # Such a child ends in another way, and does not shut the provider down.
            if not self.guard.enabled or is_forked_by_multiprocessing():
                return
            self.sink.catch_up()
            providers = [each for each in map(provider_of, ("_logs", "metrics")) if each is not None]
            if nobody_closes_pools_after(self._last_call, but_for=providers):
                self._is_last_call = True
                self.give_verdict()
            elif not self.sink.ends_by_itself:
                self.sink.end()
