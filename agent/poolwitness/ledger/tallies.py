"""What was counted and noticed about one pool, each with a `freeze` that gives the record of it."""

from __future__ import annotations

from typing import Any

from poolwitness.ledger.stacks import RawStack, resolve
from poolwitness.model.locations import Frame, Stack
from poolwitness.model.records import (
    CheckoutFault,
    ConnectError,
    ConnectRecord,
    Crossing,
    Exhaustion,
    PoolUsage,
    UseAfterClose,
)


class UsageTally:
    """The highest values that were seen of a pool since it was created."""

    __slots__ = ("_fewest_idle", "_made", "longest_held_from", "longest_held_s", "longest_wait_s", "peak")

    def __init__(self) -> None:
        self.peak = 0
        self.longest_wait_s = 0.0
        self.longest_held_s = 0.0
        self.longest_held_from: RawStack | None = None
        self._fewest_idle = 0
        self._made: tuple[int, ...] = ()

    def note_peak(self, pool: Any, is_null: bool, in_use: int, lost: int, attempts: int | None) -> None:
        """Update how many connections were checked out at once.

        The pool keeps the fewest that were idle. That gives how many were checked out if at two looks in a row every
        connection was accounted for and none was made between them.

        Args:
            pool: the host's; None when it is gone.
            is_null: a null pool keeps no idle connections.
            in_use: connections that are checked out now.
            lost: leaked slots of this pool.
            attempts: connections that it has tried to make; None before the first.
        """
        seen = in_use
        if pool is not None and attempts is not None and not is_null:
            size, fewest_idle = getattr(pool, "_nconns", 0), getattr(pool, "_nconns_min", 0)
            complete = size == len(pool._pool) + seen + lost
            made = (size, attempts, lost) if complete else ()
            if complete and made == self._made and fewest_idle < self._fewest_idle:
                seen = max(seen, size - fewest_idle - lost)
            self._made, self._fewest_idle = made, fewest_idle
        self.peak = max(self.peak, seen)

    def freeze(self) -> PoolUsage:
        """The record of it."""
        longest = resolve(self.longest_held_from) if self.longest_held_from else None
        return PoolUsage(self.peak, self.longest_wait_s, self.longest_held_s, longest)


class ConnectErrorTally:
    """One kind of error that the pool met when it connected."""

    __slots__ = ("count", "error_type", "first_at", "last_at", "raised_at", "server_error", "sqlstate")

    def __init__(self, error_type: str, sqlstate: str, server_error: str, raised_at: Frame | None, now: float) -> None:
        self.error_type = error_type
        self.sqlstate = sqlstate
        self.server_error = server_error
        self.raised_at = raised_at
        self.count = 1
        self.first_at = self.last_at = now

    def freeze(self) -> ConnectError:
        """The record of it."""
        return ConnectError(
            self.error_type,
            self.sqlstate,
            self.server_error,
            self.count,
            self.first_at,
            self.last_at,
            self.raised_at,
        )


class ConnectTally:
    """A pool's attempts to connect."""

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
        # By class, SQLSTATE, the name of the server's error, and the line that raised it.
        self.errors: dict[tuple[str, str, str, Frame | None], ConnectErrorTally] = {}

    def add_counted(self, counted_ms: int) -> None:
        """Add what the pool's own counter of connecting, without configuring, has grown by; pop_stats() resets it."""
        self.connect_ms += counted_ms - self.last_ms if counted_ms >= self.last_ms else counted_ms
        self.last_ms = counted_ms

    def freeze(self, over_tcp: bool, gssapi: bool) -> ConnectRecord:
        """The record of it; *over_tcp* and *gssapi* say how this pool connects."""
        connect_s = configure_s = 0.0
        if self.successes:
            connect_s = min(self.connect_ms / 1000.0, self.seconds) / self.successes
            configure_s = max(0.0, self.seconds / self.successes - connect_s - 0.001)
        return ConnectRecord(
            attempts=self.attempts,
            failures=self.failures,
            failing=self.failing,
            connect_s=connect_s,
            configure_s=configure_s,
            over_tcp=over_tcp,
            gssapi=gssapi,
            errors=tuple(error.freeze() for error in list(self.errors.values())),
        )


class FaultTally:
    """Something wrong that happened to checkouts at one pair of lines."""

    __slots__ = ("at", "count", "held_s", "holder", "kind", "taken_from")

    def __init__(self, kind: str, taken_from: RawStack, at: RawStack, holder: str, held_s: float) -> None:
        self.kind = kind
        self.taken_from = taken_from
        self.at = at
        self.holder = holder
        self.held_s = held_s
        self.count = 1

    def freeze(self) -> CheckoutFault:
        """The record of it."""
        return CheckoutFault(
            self.kind, resolve(self.taken_from), resolve(self.at), self.holder, self.held_s, self.count
        )


class ExhaustionTally:
    """An episode of refused requests."""

    __slots__ = ("count", "episode", "error_type", "holder", "last_mono", "request", "waited_s")

    def __init__(
        self, episode: int, error_type: str, request: RawStack, waited_s: float, holder: str, now_mono: float
    ) -> None:
        self.episode = episode
        self.error_type = error_type
        self.request = request
        self.waited_s = waited_s
        self.holder = holder
        self.count = 1
        self.last_mono = now_mono

    def freeze(self, timeout_s: float) -> Exhaustion:
        """The record of it; *timeout_s* is the pool's."""
        request = resolve(self.request)
        return Exhaustion(self.episode, self.error_type, request, self.waited_s, self.holder, self.count, timeout_s)


class ClosedUseTally:
    """Uses of a pool after it was closed."""

    __slots__ = ("count", "used_from", "while_waiting")

    def __init__(self, used_from: RawStack, while_waiting: bool) -> None:
        self.used_from = used_from
        self.while_waiting = while_waiting
        self.count = 1

    def freeze(self) -> UseAfterClose:
        """The record of it."""
        return UseAfterClose(resolve(self.used_from), self.count, self.while_waiting)


class CrossingTally:
    """Uses of a pool in another process, or on another event loop, than the one it was opened in."""

    __slots__ = ("count", "ended", "opened_on", "under", "use", "used_from", "used_on")

    def __init__(
        self, used_from: RawStack, use: str, under: str, opened_on: str = "", used_on: str = "", ended: bool = False
    ) -> None:
        self.used_from = used_from
        self.use = use
        self.under = under
        self.opened_on = opened_on
        self.used_on = used_on
        self.ended = ended
        self.count = 1

    def freeze(self) -> Crossing:
        """The record of it."""
        used: Stack = resolve(self.used_from)
        return Crossing(used, self.use, self.count, self.under, self.opened_on, self.used_on, self.ended)
