"""What the output ``otel`` needs of the rest: the pools for its metrics, the timings, and the right moment to end."""

from __future__ import annotations

import atexit

from poolwitness.ledger import Ledger
from poolwitness.observe.timings import Timings
from poolwitness.report.otel_logs import OtelSink, provider_of
from poolwitness.report.otel_metrics import PoolMetrics, PoolNow
from poolwitness.report.redact import clean_text
from poolwitness.safety import Part


class Telemetry:
    """One process's metrics.

    Args:
        ledger: where the pools are.
        sink: the log records' way out.
        part: the containment.
    """

    def __init__(self, ledger: Ledger, sink: OtelSink, part: Part) -> None:
        self.ledger = ledger
        self.sink = sink
        self.part = part
        self.timings = Timings()
        self.metrics: PoolMetrics | None = None

    def look(self) -> None:
        """Give the measurements to the application's meter provider, once it has one."""
        with self.part:
            if not self.part.enabled:
                return
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

    def end(self) -> None:
        """The verdict is out."""
        with self.part:
            self.sink.end()

    def close(self) -> None:
        """Leave the program as it was found; the instruments stay, and observe nothing."""
        atexit.unregister(self.look)
        with self.part:
            self.sink.close()
