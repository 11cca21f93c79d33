"""Watch a pool connect: how long it takes, and the errors that the pool retries in silence."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedPool
from poolwitness.observe.patcher import AnyFunction, Patcher

MOST_ERRORS = 8


class Connects:
    """What was seen of one pool's attempts."""

    __slots__ = (
        "attempts",
        "connect_ms",
        "errors",
        "failing",
        "failures",
        "in_flight",
        "last_ms",
        "seconds",
        "successes",
    )

    def __init__(self) -> None:
        self.attempts = 0
        self.failures = 0
        self.successes = 0
        self.failing = False
        self.in_flight = 0
        self.seconds = 0.0
        self.connect_ms = 0
        self.last_ms = 0
        # (type, sqlstate, what the text comes down to) -> [text, count, first, last]
        self.errors: dict[tuple[str, str, str], list[Any]] = {}

    def take_in(self, pool: Any) -> None:
        """Add what the pool's own counter has grown by; it tells connecting from configuring, pop_stats() resets it."""
        counted_ms = pool._stats["connections_ms"]
        self.connect_ms += counted_ms - self.last_ms if counted_ms >= self.last_ms else counted_ms
        self.last_ms = counted_ms


class ConnectWatch:
    """The patches of ``_connect``.

    Args:
        ledger: where the pools are kept.
        failed: told of each failure, in the worker that met it.
        slow: told of each success, with its seconds.
        describe_error: gives an exception's text without secrets.
        part: the containment.
    """

    def __init__(
        self,
        ledger: Ledger,
        failed: Callable[[TrackedPool, bool], None],
        slow: Callable[[TrackedPool, float], None],
        describe_error: Callable[[Any, BaseException], str],
        part: Guard,
    ) -> None:
        self.ledger = ledger
        self.failed = failed
        self.slow = slow
        self.describe_error = describe_error
        self.part = part

    def install(self, patches: Patcher) -> None:
        """Patch both families."""
        import psycopg_pool

        patches.wrap(psycopg_pool.ConnectionPool, "_connect", self._sync)
        patches.wrap(psycopg_pool.AsyncConnectionPool, "_connect", self._async)

    def _sync(self, original: AnyFunction) -> AnyFunction:
        def _connect(self_: Any, *args: Any, **kwargs: Any) -> Any:
            started = time.monotonic()
            if self.part.enabled:
                with self.part:
                    self._begin(self_)
            try:
                conn = original(self_, *args, **kwargs)
            except BaseException as error:
                if self.part.enabled:
                    with self.part:
                        self._note_failure(self_, error)
                raise
            if self.part.enabled:
                with self.part:
                    self._note_success(self_, time.monotonic() - started)
            return conn

        return _connect

    def _async(self, original: AnyFunction) -> AnyFunction:
        async def _connect(self_: Any, *args: Any, **kwargs: Any) -> Any:
            started = time.monotonic()
            if self.part.enabled:
                with self.part:
                    self._begin(self_)
            try:
                conn = await original(self_, *args, **kwargs)
            except BaseException as error:
                if self.part.enabled:
                    with self.part:
                        self._note_failure(self_, error)
                raise
            if self.part.enabled:
                with self.part:
                    self._note_success(self_, time.monotonic() - started)
            return conn

        return _connect

    def _begin(self, pool: Any) -> None:
        found = self._of(pool)
        if found is not None:
            found[1].in_flight += 1

    def _of(self, pool: Any) -> tuple[TrackedPool, Connects] | None:
        entry = self.ledger.find(pool)
        if entry is None:
            return None
        if entry.connects is None:
            entry.connects = Connects()
        return entry, entry.connects

    def _note_failure(self, pool: Any, error: BaseException) -> None:
        found = self._of(pool)
        if found is None:
            return
        entry, connects = found
        connects.in_flight -= 1
        # A cancellation, or a callback's sys.exit(): nothing that the server did.
        if not isinstance(error, Exception):
            return
        connects.attempts += 1
        connects.failures += 1
        connects.failing = True
        text = self.describe_error(pool, error)
        key = (type(error).__name__, str(getattr(error, "sqlstate", None) or ""), _gist(text))
        now = time.time()
        known = connects.errors.get(key)
        if known is not None:
            known[1] += 1
            known[3] = now
        elif len(connects.errors) < MOST_ERRORS:
            connects.errors[key] = [text, 1, now, now]
        self.failed(entry, known is None)

    def _note_success(self, pool: Any, seconds: float) -> None:
        found = self._of(pool)
        if found is None:
            return
        entry, connects = found
        connects.in_flight -= 1
        connects.attempts += 1
        connects.successes += 1
        connects.failing = False
        connects.seconds += seconds
        connects.take_in(pool)
        self.slow(entry, seconds)


def _gist(text: str) -> str:
    """What tells one error from another: libpq gives no SQLSTATE for a connection that it never had."""
    return re.sub(r"[\d.:]+", "#", text.rpartition("failed: ")[2])[:80]
