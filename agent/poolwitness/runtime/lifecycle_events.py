"""Write once that the agent is at work, and for each pool that it was opened and closed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from poolwitness._version import __version__
from poolwitness.guards import Guard, is_ours, let_pass
from poolwitness.ledger.observers import Observer
from poolwitness.ledger.pools import TrackedPool
from poolwitness.report import build as events
from poolwitness.runtime.checks import RuleChecks
from poolwitness.runtime.reporter import Reporter
from poolwitness.snapshot.take import freeze_pool
from poolwitness.snapshot.versions import Versions, format_version


class LifecycleEvents(Observer):
    """Writes ``agent.started``, ``pool.opened`` and ``pool.closed``.

    Args:
        reporter: writes them.
        checks: adds up the totals of closed pools.
        guard: contains what our lines raise.
        versions: the installed releases.
        hooks: gives the patches that are in place.
        settings: gives the settings to report.
        problems: gives one sentence for each setting that cannot be used.
        on_start: called before the first pool of a process is created.
    """

    def __init__(
        self,
        reporter: Reporter,
        checks: RuleChecks,
        guard: Guard,
        versions: Versions,
        how: str,
        hooks: Callable[[], list[str]],
        settings: Callable[[], dict[str, Any]],
        problems: Callable[[], list[str]],
        on_start: Callable[[], None],
    ) -> None:
        self.reporter = reporter
        self.checks = checks
        self.guard = guard
        self.versions = versions
        self.how = how
        self.hooks = hooks
        self.settings = settings
        self.problems = problems
        self.on_start = on_start
        self.started = False
        self._opened: deque[TrackedPool] = deque()

    def forked(self) -> None:
        self.started = False
        self._opened.clear()

    def pool_creating(self) -> None:
        self._start()

    def pool_changed(self, pool: TrackedPool, change: str) -> None:
        if change in ("crossed_fork", "crossed_loops"):
            self._start()

    def pool_opened(self, pool: TrackedPool) -> None:
        # Written at the next step: a write releases the GIL.
        self._opened.append(pool)

    def synchronized(self) -> None:
        while self._opened:
            try:
                pool = self._opened.popleft()
            except IndexError as error:  # another thread was quicker
                let_pass(error)
                break
            self._start()  # a pool that was created before a fork
            self._emit("opened", pool, partial(_opened_event, pool))

    def pool_closed(self, pool: TrackedPool) -> None:
        if pool.inherited:
            return
        record = freeze_pool(pool)
        self.checks.totals.add(record)
        self._emit("closed", pool, partial(events.pool_closed, record))

    def _start(self) -> None:
        if self.started:
            return
        self.started = True
        try:
            self.on_start()
            versions = {name: format_version(version) for name, version in self.versions.items()}
            versions["poolwitness"] = __version__
            event = events.started(versions, self.settings(), self.hooks(), self.how)
            self.reporter.emit("poolwitness.agent.started", event)
        except BaseException as error:
            # One of the program's landed here: again with the next pool.
            self.started = is_ours(error)
            raise
        for problem in self.problems():
            self.reporter.emit_setting_invalid(problem)

    def _emit(self, what: str, pool: TrackedPool, make: Callable[[], events.Event]) -> None:
        line = pool.origin.place if pool.origin else ""
        self.reporter.emit_limited(f"{what}:{line}", f"poolwitness.pool.{what}", make)


def _opened_event(pool: TrackedPool) -> events.Event:
    return events.pool_opened(freeze_pool(pool))
