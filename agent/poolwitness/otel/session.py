"""The observer behind the output ``otel``: feeds the application's meter provider, and ends before it is shut down."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Collection

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observer
from poolwitness.model.process_end import is_forked_by_multiprocessing, runs_finalizers
from poolwitness.model.records import Snapshot
from poolwitness.otel.logs import OtelSink, provider_of
from poolwitness.otel.metrics import PoolMetrics, PoolNow
from poolwitness.otel.timings import Timings
from poolwitness.report.redact import clean_text

# Packages whose atexit callbacks close no pool.
_CLOSE_NO_POOL = frozenset({"certifi", "grpc", "logging", "multiprocessing", "opentelemetry", "poolwitness"})


class OtelSession(Observer):
    """One process's metrics, and the right moment for its last log records and its verdict."""

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
        """Take the application's logger provider, if it has one, early: fewer callbacks then follow `last_call`."""
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
        """Leave alone a provider that was shut down: what is reported from here on goes to stderr."""
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
                # Called before the provider, which was registered earlier, collects for the last time.
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
        # Registered after the provider's own shutdown, it is called before that.
        atexit.register(self._last_call)

    def last_call(self) -> None:
        """The provider is about to be shut down: give the verdict through it, if no pool can be closed after this."""
        with self.guard:
            # Such a child ends in another way and does not shut the provider down.
            if not self.guard.enabled or is_forked_by_multiprocessing():
                return
            self.sink.catch_up()
            providers = [each for each in map(provider_of, ("_logs", "metrics")) if each is not None]
            if leaves_pools_alone_after(self._last_call, providers):
                self._is_last_call = True
                self.give_verdict()
            elif not self.sink.ends_by_itself:
                self.sink.end()


class _Probe:
    """Equal to nothing; keeps what it was compared with."""

    __slots__ = ("seen",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.seen: list[object] = []

    def __eq__(self, other: object) -> bool:
        self.seen.append(other)
        return False


def leaves_pools_alone_after(callback: object, owners: Collection[object]) -> bool:
    """Whether no atexit callback that Python calls after this one closes a pool; methods of *owners* do not."""
    probe = _Probe()
    # It is compared with every callback in the order of registration, and none is removed.
    atexit.unregister(probe)  # type: ignore[arg-type]
    seen = probe.seen
    places = [place for place, each in enumerate(seen) if each is callback]
    own = {id(each) for each in owners}
    # They are called in reverse order.
    return bool(places) and all(_closes_no_pool(each, own) for each in seen[: places[-1]])


def _closes_no_pool(callback: object, owners: set[int]) -> bool:
    if id(getattr(callback, "__self__", None)) in owners:
        return True
    module = getattr(callback, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] in _CLOSE_NO_POOL
