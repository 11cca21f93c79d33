"""What the output ``otel`` needs of the rest: the pools for its metrics, the timings, and the right moment to end."""

from __future__ import annotations

import atexit
from collections.abc import Callable

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.otel.atexit_order import nobody_closes_pools_after
from poolwitness.otel.logs import OtelSink, provider_of
from poolwitness.otel.metrics import PoolMetrics, PoolNow
from poolwitness.otel.timings import Timings
from poolwitness.report.redact import clean_text
from poolwitness.runtime import exit_hooks as exits


class Telemetry:
    """One process's metrics.

    Args:
        ledger: where the pools are.
        sink: the log records' way out.
        part: the containment.
    """

    def __init__(self, ledger: Ledger, sink: OtelSink, part: Guard) -> None:
        self.ledger = ledger
        self.sink = sink
        self.part = part
        self._tell_verdict: Callable[[], None] | None = None
        # One object, to be known again among Python's callbacks.
        self._last_call = self.last_call
        self._is_last_call = False
        sink.adopted = self._adopted
        self.timings = Timings()
        self.metrics: PoolMetrics | None = None

    def begin(self, tell_verdict: Callable[[], None]) -> None:
        """Take the application's logger provider, if it has one: the sooner, the less is called after `last_call`.

        Args:
            tell_verdict: tells it now.
        """
        self._tell_verdict = tell_verdict
        with self.part:
            self.sink.adopt()

    def look(self) -> None:
        """Give the measurements to the application's meter provider, once it has one."""
        with self.part:
            if not self.part.enabled:
                return
            self.sink.adopt()
            if self.metrics is None:
                provider = provider_of("metrics")
                if provider is None:
                    return
                self.metrics = PoolMetrics(provider, self.pools)
                # Before the provider, which was there earlier, collects for the last time.
                atexit.register(self.look)
            for kind, entry, seconds in self.timings.take():
                self.metrics.record(kind, clean_text(entry.name, 256), seconds)

    def pools(self) -> list[PoolNow]:
        """The pools that are open."""
        now: list[PoolNow] = []
        with self.part:
            if not self.part.enabled:
                return now
            for entry in self.ledger.pools.copy().values():
                if entry.state != "open" or entry.inherited:
                    continue
                stats = entry.stats()
                size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
                name = clean_text(entry.name, 256)
                now.append(PoolNow(name, idle, max(0, size - idle), entry.max_size, stats.get("requests_waiting", 0)))
        return now

    def _adopted(self) -> None:
        # Registered later than the provider's own shutdown, it is called earlier.
        atexit.register(self._last_call)

    def last_call(self) -> None:
        """The provider is about to be shut down: tell the verdict through it, if nobody can close a pool any more."""
        with self.part:
            # Such a child ends in another way, and does not shut the provider down.
            if not self.part.enabled or exits.is_forked_by_multiprocessing():
                return
            self.sink.catch_up()
            providers = [each for each in map(provider_of, ("_logs", "metrics")) if each is not None]
            if self._tell_verdict is not None and nobody_closes_pools_after(self._last_call, but_for=providers):
                self._is_last_call = True
                self._tell_verdict()
            elif not self.sink.ends_by_itself:
                self.sink.end()

    def before_verdict(self, hook: str) -> None:
        """Leave a provider alone that has been shut down: what is told from here on is for stderr."""
        with self.part:
            if exits.runs_finalizers(hook) and not self._is_last_call:
                self.sink.end()

    def after_fork(self) -> None:
        """Another process has its own to tell."""
        self.timings.forget()
        self.sink.after_fork()

    def end(self) -> None:
        """The verdict is out."""
        with self.part:
            self.sink.flush()
            self.sink.end()

    def close(self) -> None:
        """Leave the program as it was found; the instruments stay, and observe nothing."""
        atexit.unregister(self.look)
        atexit.unregister(self._last_call)
