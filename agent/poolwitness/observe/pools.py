"""Watch pools being made, opened, closed and used after they were closed.

Methods are patched on the classes, so that subclasses and null pools are seen too. Every wrapper calls the
original exactly once and outside any containment; what it does itself stands inside `Guard`.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from typing import Any, Protocol

from poolwitness.guards import Guard
from poolwitness.ledger import fork as forks
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.stacks import capture, constructors_of
from poolwitness.observe import django
from poolwitness.observe.crossings import CLOSED, Crossings
from poolwitness.observe.patcher import AnyFunction, Patcher
from poolwitness.observe.pool_info import target_of
from poolwitness.observe.runners import runner_name

_MISSING = object()


class Listener(Protocol):
    """Who is told what the observers see; called in the host's thread, outside every lock of ours."""

    def about_to_create(self) -> bool:
        """A pool is about to be made; whether it is to be watched."""

    def made(self, entry: TrackedPool) -> None:
        """A pool has been made, and its constructor is about to return."""

    def about_to_open(self, is_async: bool) -> None:
        """A pool is about to be opened."""

    def opened(self, entry: TrackedPool) -> None:
        """A pool has been opened, and the call that opened it is about to return."""

    def open_failed(self, entry: TrackedPool) -> None:
        """A pool could not be opened."""

    def closed(self, entry: TrackedPool) -> None:
        """A pool has been closed."""

    def opened_in_constructor(self, entry: TrackedPool) -> None:
        """An async pool was opened by its constructor on purpose."""


class PoolWatch:
    """The patches of the pool classes' own life.

    Args:
        ledger: where pools are kept.
        listener: who hears of them.
        part: the containment.
        crossings: asked where a pool may be closed elsewhere than where it was opened.
    """

    def __init__(self, ledger: Ledger, listener: Listener, part: Guard, crossings: Crossings) -> None:
        self.ledger = ledger
        self.listener = listener
        self.part = part
        self.crossings = crossings
        self.making = threading.local()

    def install(self, patches: Patcher) -> None:
        """Patch ``ConnectionPool`` and ``AsyncConnectionPool``."""
        import psycopg_pool

        self.async_class = psycopg_pool.AsyncConnectionPool
        for cls in (psycopg_pool.ConnectionPool, psycopg_pool.AsyncConnectionPool):
            is_async = cls is psycopg_pool.AsyncConnectionPool
            patches.wrap(cls, "__init__", self._init(is_async))
            patches.wrap(cls, "_open", self._internal_open)
            patches.wrap(cls, "open", self._async_open if is_async else self._sync_open)
            patches.wrap(cls, "close", self._async_close if is_async else self._sync_close)
            patches.wrap(
                cls,
                "__aenter__" if is_async else "__enter__",
                self._async_enter if is_async else self._sync_enter,
            )

    def _init(self, is_async: bool) -> Any:
        def make(original: AnyFunction) -> AnyFunction:
            def __init__(self_: Any, *args: Any, **kwargs: Any) -> None:
                entry = None
                if self.part.enabled:
                    with self.part:
                        entry = self._before_init(self_)
                try:
                    original(self_, *args, **kwargs)
                except BaseException:
                    if entry is not None:
                        with self.part:
                            self.ledger.forget(self_)
                    raise
                if entry is not None:
                    with self.part:
                        self._after_init(self_, entry, is_async, kwargs.get("open"))

            return __init__

        return make

    def _before_init(self, pool: Any) -> TrackedPool | None:
        if not self.listener.about_to_create():
            return None
        raw = capture(3)
        entry = TrackedPool(pool, raw, constructors_of(type(pool)), runner_name())
        entry.django_alias = django.alias_of_pool_in_making(sys._getframe())
        if entry.django_alias:
            entry.made_settings = django.settings_line(entry.django_alias)
        return entry if self.ledger.add(pool, entry) else None

    def _after_init(self, pool: Any, entry: TrackedPool, is_async: bool, open_argument: Any) -> None:
        describe(pool, entry, is_async)
        self.listener.made(entry)
        if entry.opened_at is not None and entry.closed_at is None:
            entry.opened_in_constructor = True
            entry.open_explicit = bool(open_argument)
            self._announce_open(entry)
            if is_async and entry.open_explicit:
                self.listener.opened_in_constructor(entry)

    def _announce_open(self, entry: TrackedPool) -> None:
        if entry.opened_at is not None and not entry.told_opened and entry.name:
            entry.told_opened = True
            self.listener.opened(entry)

    def _internal_open(self, original: AnyFunction) -> AnyFunction:
        # Under the pool's own lock: only note, tell later.
        def _open(self_: Any, *args: Any, **kwargs: Any) -> Any:
            was_closed = False
            if self.part.enabled:
                with self.part:
                    was_closed = getattr(self_, "_closed", True)
                    if was_closed and not getattr(self_, "_opened", False):
                        self.listener.about_to_open(isinstance(self_, self.async_class))
            try:
                result = original(self_, *args, **kwargs)
            except Exception as error:
                if self.part.enabled:
                    with self.part:
                        self._note_open_error(self_, error)
                raise
            if self.part.enabled:
                with self.part:
                    self._note_open(self_, was_closed)
            return result

        return _open

    def _note_open_error(self, pool: Any, error: Exception) -> None:
        entry = self.ledger.find(pool)
        if entry is not None and not entry.open_error:
            entry.open_error = type(error).__name__
            if entry.name:
                self.listener.open_failed(entry)

    def _note_open(self, pool: Any, was_closed: bool) -> None:
        entry = self.ledger.find(pool)
        if entry is None or not was_closed or pool._closed:
            return
        entry.opened_at = time.time()
        entry.opened_by = capture(3, 16)
        if isinstance(pool, self.async_class):
            entry.loop, entry.opened_in = _running_loop()
        runners = [("worker", runner) for runner in pool._workers]
        if pool._sched_runner is not None:
            runners.append(("scheduler", pool._sched_runner))
        entry.threads = tuple(
            (role, weakref.ref(runner), _name_of(runner), getattr(runner, "native_id", None))
            for role, runner in runners
        )

    def _sync_open(self, original: AnyFunction) -> AnyFunction:
        def open(self_: Any, *args: Any, **kwargs: Any) -> Any:
            if self.part.enabled:
                with self.part:
                    self._confirm_open(self_)
            try:
                return original(self_, *args, **kwargs)
            finally:
                if self.part.enabled:
                    with self.part:
                        self._after_open(self_)

        return open

    def _async_open(self, original: AnyFunction) -> AnyFunction:
        async def open(self_: Any, *args: Any, **kwargs: Any) -> Any:
            if self.part.enabled:
                with self.part:
                    self._confirm_open(self_)
            try:
                return await original(self_, *args, **kwargs)
            finally:
                if self.part.enabled:
                    with self.part:
                        self._after_open(self_)

        return open

    def _confirm_open(self, pool: Any) -> None:
        entry = self.ledger.find(pool)
        if entry is not None:
            entry.open_threads.add(threading.get_ident())
            # From inside the constructor (psycopg_pool 3.1) it is not the application that opens it.
            if entry.name:
                entry.open_confirmed = True

    def _after_open(self, pool: Any) -> None:
        entry = self.ledger.find(pool)
        if entry is not None:
            self._announce_open(entry)

    def _sync_enter(self, original: AnyFunction) -> AnyFunction:
        def __enter__(self_: Any) -> Any:
            if self.part.enabled:
                with self.part:
                    self._note_enter(self_)
            return original(self_)

        return __enter__

    def _async_enter(self, original: AnyFunction) -> AnyFunction:
        async def __aenter__(self_: Any) -> Any:
            if self.part.enabled:
                with self.part:
                    self._note_enter(self_)
            return await original(self_)

        return __aenter__

    def _note_enter(self, pool: Any) -> None:
        entry = self.ledger.find(pool)
        if entry is not None:
            entry.open_confirmed = True

    def _sync_close(self, original: AnyFunction) -> AnyFunction:
        def close(self_: Any, *args: Any, **kwargs: Any) -> Any:
            closing = None
            if self.part.enabled:
                with self.part:
                    closing = self._before_close(self_)
            if closing is None:
                return original(self_, *args, **kwargs)
            try:
                return original(self_, *args, **kwargs)
            finally:
                with self.part:
                    self._after_close(self_, *closing)

        return close

    def _async_close(self, original: AnyFunction) -> AnyFunction:
        async def close(self_: Any, *args: Any, **kwargs: Any) -> Any:
            closing = None
            if self.part.enabled:
                with self.part:
                    closing = self._before_close(self_)
            if closing is None:
                return await original(self_, *args, **kwargs)
            try:
                return await original(self_, *args, **kwargs)
            finally:
                with self.part:
                    self._after_close(self_, *closing)

        return close

    def _before_close(self, pool: Any) -> tuple[TrackedPool, Any, float] | None:
        if getattr(pool, "_closed", True) or sys.is_finalizing():
            return None
        # A pool whose __del__ closes it must not be taken for one that was dropped open: no look that takes that in.
        if not forks.home or isinstance(pool, self.async_class):
            self.crossings.look(pool, CLOSED, sys._getframe(1).f_back)
        entry = self.ledger.find(pool)
        if entry is None or entry.closed_at is not None:
            return None
        self.ledger.drain_slots()
        entry.stats()
        # Noted before the call: a waiter that gets PoolClosed may look for this line at once.
        entry.closed_by = capture(3, 16)
        entry.closing = True
        return entry, entry.closed_by, time.monotonic()

    def _after_close(self, pool: Any, entry: TrackedPool, raw: Any, started_mono: float) -> None:
        entry.closing = False
        if not pool._closed or entry.closed_at is not None:
            return
        entry.closed_at = time.time()
        entry.close_s = time.monotonic() - started_mono
        if not entry.told_closed:
            entry.told_closed = True
            self._announce_open(entry)
            self.listener.closed(entry)


def describe(pool: Any, entry: TrackedPool, is_async: bool) -> None:
    """Note what the finished constructor left on the pool."""
    cls = type(pool)
    module = str(cls.__module__)
    if module.startswith("psycopg_pool"):
        module = "psycopg_pool"
    entry.cls = f"{module}.{cls.__qualname__}"
    entry.is_async = is_async
    entry.is_null = any(base.__name__ == "_BaseNullConnectionPool" for base in cls.__mro__) or any(
        base.__name__.endswith("NullConnectionPool") for base in cls.__mro__
    )
    entry.min_size = getattr(pool, "_min_size", 0)
    entry.max_size = getattr(pool, "_max_size", None)
    entry.num_workers = getattr(pool, "num_workers", 0)
    entry.has_check = getattr(pool, "_check", None) is not None
    entry.has_reset = getattr(pool, "_reset", None) is not None
    entry.target = target_of(getattr(pool, "conninfo", ""), getattr(pool, "kwargs", None))
    entry.name = plain_name(pool.name)


def plain_name(name: Any) -> str:
    """The pool's name as a plain str, without running a method that the application may have overridden."""
    if isinstance(name, str):
        return str.__str__(name) or "?"
    return f"<{type(name).__name__}>"


def _name_of(runner: Any) -> str:
    get_name = getattr(runner, "get_name", None)
    return str(get_name()) if get_name is not None else str(runner.name)


def _running_loop() -> tuple[Any, str]:
    loop = sys.modules["asyncio"]._get_running_loop()
    try:
        return weakref.ref(loop), f"{type(loop).__name__} in {runner_name()}"
    except TypeError:  # no loop, or one that cannot be known weakly
        return None, ""
