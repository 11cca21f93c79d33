"""Record pools being created, opened, entered and closed."""

from __future__ import annotations

import sys
import threading
import weakref
from types import FrameType
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger import fork
from poolwitness.ledger.connections import runner_name
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observers
from poolwitness.ledger.pools import Creation, PoolRunner, TrackedPool
from poolwitness.ledger.stacks import capture, constructors_of
from poolwitness.model.startup import clock
from poolwitness.observe import django
from poolwitness.observe.crossings import CLOSED, Crossings
from poolwitness.observe.pool_info import describe

_FRAMES = 16


class PoolPatches:
    """The lines that run around the methods of a pool's life.

    Args:
        ledger: where pools are tracked.
        observers: hear of them.
        crossings: checks where a pool is closed from.
        guard: of the constructors, which are wrapped by `boot.first_pool`.
    """

    def __init__(self, ledger: Ledger, observers: Observers, crossings: Crossings, guard: Guard) -> None:
        import psycopg_pool

        self.ledger = ledger
        self.observers = observers
        self.crossings = crossings
        self.guard = guard
        self._async_class = psycopg_pool.AsyncConnectionPool

    # the constructor

    def creating(self, pool: Any, frame: FrameType | None) -> TrackedPool | None:
        """A constructor was called from *frame*; None if the pool cannot be tracked."""
        self.ledger.synchronize()
        self.ledger.totals["created"] += 1
        self.observers.pool_creating()
        alias = django.alias_of_pool_in_creation(frame)
        settings = django.settings_line(alias) if alias else None
        creation = Creation(capture(frame), constructors_of(type(pool)), runner_name(), alias, settings)
        tracked = TrackedPool(pool, creation)
        return tracked if self.ledger.add(pool, tracked) else None

    def creation_failed(self, pool: Any) -> None:
        """The constructor raised."""
        self.ledger.discard(pool)

    def created(self, pool: Any, tracked: TrackedPool, open_argument: Any) -> None:
        """The constructor is about to return; *open_argument* is its argument ``open``."""
        is_async = isinstance(pool, self._async_class)
        describe(pool, tracked, is_async)
        life = tracked.life
        is_open = life.opened_at is not None and life.closed_at is None
        if is_open:
            life.opened_in_constructor = True
            life.open_explicit = bool(open_argument)
        self.observers.pool_created(tracked)
        if is_open:
            self._announce_open(tracked)
            if is_async and life.open_explicit:
                self.observers.pool_changed(tracked, "opened_in_constructor")

    # opening

    def opening(self, pool: Any, _frame: FrameType | None, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> bool:
        """``_open`` was called, under the pool's own lock; whether the pool is closed."""
        was_closed = bool(getattr(pool, "_closed", True))
        if was_closed and not getattr(pool, "_opened", False):
            fork.detect_fork(self.ledger.pid)
            if self.ledger.forked:
                self.ledger.synchronize()
            self.observers.pool_opening(isinstance(pool, self._async_class))
        return was_closed

    def opened(self, pool: Any, frame: FrameType | None, was_closed: bool | None, _result: Any) -> None:
        """``_open`` returned, still under the pool's lock: only note, announce later."""
        tracked = self.ledger.find(pool)
        if tracked is None or not was_closed or pool._closed:
            return
        life = tracked.life
        life.opened_at = clock.now()
        life.opened_from = capture(frame, _FRAMES)
        if isinstance(pool, self._async_class):
            life.loop, life.opened_in = _running_loop()
            self.ledger.loops[id(pool)] = life.loop
        runners = [("worker", runner) for runner in pool._workers]
        if pool._sched_runner is not None:
            runners.append(("scheduler", pool._sched_runner))
        tracked.runners = tuple(
            PoolRunner(role, weakref.ref(runner), _name_of(runner), getattr(runner, "native_id", None))
            for role, runner in runners
        )

    def open_failed(self, pool: Any, _frame: FrameType | None, _token: Any, error: BaseException) -> None:
        """``_open`` raised."""
        tracked = self.ledger.find(pool)
        if isinstance(error, Exception) and tracked is not None and not tracked.life.open_error:
            tracked.life.open_error = type(error).__name__
            if tracked.info is not None:
                self.ledger.report_change(tracked, "open_failed")

    def open_called(self, pool: Any, _frame: FrameType | None, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        """``open()`` was called."""
        tracked = self.ledger.find(pool)
        if tracked is not None:
            tracked.life.open_threads.add(threading.get_ident())
            # From inside the constructor (psycopg_pool 3.1) it is not the application that opens it.
            if tracked.info is not None:
                tracked.life.open_confirmed = True

    def open_ended(self, pool: Any, _frame: FrameType | None, _token: Any, _outcome: Any) -> None:
        """``open()`` is about to return, or to raise: the pool may be open all the same."""
        tracked = self.ledger.find(pool)
        if tracked is not None:
            self._announce_open(tracked)

    def entered(self, pool: Any, _frame: FrameType | None, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        """``with pool`` was entered."""
        tracked = self.ledger.find(pool)
        if tracked is not None:
            tracked.life.open_confirmed = True

    def _announce_open(self, tracked: TrackedPool) -> None:
        if tracked.life.opened_at is not None and not tracked.announced_open and tracked.info is not None:
            tracked.announced_open = True
            self.ledger.totals["opened"] += 1
            self.observers.pool_opened(tracked)
            if tracked.is_async:
                self.ledger.synchronize()

    # closing

    def closing(
        self, pool: Any, frame: FrameType | None, _args: tuple[Any, ...], _kwargs: dict[str, Any]
    ) -> tuple[TrackedPool, float] | None:
        """``close()`` was called; None if there is nothing to note."""
        if getattr(pool, "_closed", True) or sys.is_finalizing():
            return None
        # A pool whose __del__ closes it must not be taken for one that was dropped open: no step that takes that in.
        if not fork.owns_all_pools or isinstance(pool, self._async_class):
            self.crossings.check(pool, CLOSED, frame)
        tracked = self.ledger.find(pool)
        if tracked is None or tracked.life.closed_at is not None:
            return None
        self.ledger.drain_connections()
        tracked.stats()
        # Noted before the call: a waiter that gets PoolClosed may report this line at once.
        tracked.life.closed_from = capture(frame, _FRAMES)
        tracked.life.closing = True
        return tracked, clock.monotonic()

    def closed(
        self, pool: Any, _frame: FrameType | None, token: tuple[TrackedPool, float] | None, _outcome: Any
    ) -> None:
        """``close()`` is about to return, or to raise: the pool may be closed all the same."""
        if token is None:
            return
        tracked, started_mono = token
        life = tracked.life
        life.closing = False
        if not pool._closed or life.closed_at is not None:
            return
        life.closed_at = clock.now()
        life.close_s = clock.monotonic() - started_mono
        if not tracked.announced_closed:
            tracked.announced_closed = True
            self._announce_open(tracked)
            self.ledger.synchronize()
            if not tracked.inherited:
                self.ledger.totals["closed"] += 1
            self.observers.pool_closed(tracked)


def _name_of(runner: Any) -> str:
    get_name = getattr(runner, "get_name", None)
    return str(get_name()) if get_name is not None else str(runner.name)


def _running_loop() -> tuple[Any, str]:
    loop = sys.modules["asyncio"]._get_running_loop()
    try:
        return weakref.ref(loop), f"{type(loop).__name__} in {runner_name()}"
    except TypeError:  # no loop, or one that cannot be referenced weakly
        return None, ""
