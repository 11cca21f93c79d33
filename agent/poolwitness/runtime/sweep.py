"""Sweep the pools periodically: in a thread, or on an event loop, for as long as there is a pool that needs it."""

from __future__ import annotations

import math
from collections.abc import Callable

from poolwitness.config import Config
from poolwitness.guards import Guards
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observer, Observers
from poolwitness.ledger.pools import TrackedPool
from poolwitness.model.process_end import ends_without_atexit
from poolwitness.model.startup import clock
from poolwitness.observe.query_activity import QueryActivity
from poolwitness.runtime.checks import RuleChecks
from poolwitness.runtime.dump_server import DumpServer
from poolwitness.runtime.exit_hooks import when_main_thread_ends
from poolwitness.runtime.sweeper_loop import SweeperLoop
from poolwitness.runtime.sweeper_thread import SweeperThread
from poolwitness.snapshot.accounting import check_slots
from poolwitness.snapshot.shutdown import ShutdownProbe, has_threads_to_wait_for

THREADS_PER_SWEEP = 8


class SweepScheduler(Observer):
    """The sweepers, and what one sweep does.

    Args:
        config: the settings.
        ledger: what is known.
        checks: checks the rules.
        dump_server: answered by the sweeper's thread between two sweeps.
        observers: hear of each sweep.
        guards: one for each component.
        give_verdict: gives the verdict if no atexit callback will run.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        checks: RuleChecks,
        dump_server: DumpServer,
        observers: Observers,
        guards: Guards,
        give_verdict: Callable[[str], None],
    ) -> None:
        self.config = config
        self.ledger = ledger
        self.checks = checks
        self.dump_server = dump_server
        self.observers = observers
        self.guards = guards
        self.guard = guards.sweeper
        self.give_verdict = give_verdict
        self.activity = QueryActivity(ledger, guards.activity)
        self._reset()

    def _reset(self) -> None:
        # Whether the verdict was given: there is nothing to sweep for any more.
        self.over = False
        self.probe = ShutdownProbe()
        # At level exit the thread answers, but does not sweep.
        interval_s = math.inf if self.config.level == "exit" else self.config.sweep_s
        self.thread = SweeperThread(interval_s, self.sweep, self.dump_server)
        self.loop = SweeperLoop(self.config.sweep_s, self.sweep_on_loop)

    # events

    def forked(self) -> None:
        self._reset()

    def pool_opening(self, is_async: bool) -> None:
        # Opening the socket releases the GIL: not once the pool is open.
        if not is_async and self._wants_sweeper() and not self.thread.alive:
            self.dump_server.open()

    def pool_opened(self, pool: TrackedPool) -> None:
        # After the pool's own threads: if only so many can be started, the pool comes first.
        if not self._wants_sweeper():
            return
        if not pool.is_async or self.dump_server.wants_thread:
            if not self.thread.alive:
                if pool.is_async:
                    self.dump_server.open()
                self.thread.start()
        else:
            self.loop.start()
            self.dump_server.listen_on_loop()

    def pool_changed(self, pool: TrackedPool, change: str) -> None:
        if change == "open_failed" and not self.thread.alive:
            self.dump_server.leave()

    def pool_closed(self, pool: TrackedPool) -> None:
        # Without a pool that needs it the thread ends: a fork, or a join of all threads, may be near.
        if not pool.inherited and not pool.is_async and self.thread.alive and not self._is_needed():
            self.thread.stop()

    def process_ending(self, hook: str) -> None:
        self.thread.stop()

    def install(self) -> None:
        """Hook the end of the main thread."""
        with self.guards.ending:
            when_main_thread_ends(self._main_thread_ended)

    def uninstall(self) -> None:
        """Sweep no more."""
        self.activity.uninstall()
        self.loop.stop()
        self.thread.stop()

    def _wants_sweeper(self) -> bool:
        return not self.over and (self.config.level != "exit" or self.dump_server.wants_thread)

    def _is_needed(self) -> bool:
        """Whether a sync pool is open, or a connection of one that was closed is still checked out."""
        any_pool = self.dump_server.wants_thread or self.probe.kind == "threads"
        return any(
            not pool.inherited and (not pool.is_async or any_pool) and (pool.state == "open" or bool(pool.taken()))
            for pool in self.ledger.pools.copy().values()
        )

    # sweeps

    def sweep(self) -> bool:
        """One sweep of the thread; whether there is to be another."""
        if not self.guard.enabled or self.over:
            return False
        with self.guard:
            self.ledger.synchronize()
            pools = self.ledger.entries()
            pools += [pool for pool in self.probe.remember(pools) if pool not in pools]
            self.checks.sampler.sample(pools, THREADS_PER_SWEEP)
            self._watch_activity(pools)
            # At its end a program cancels workers in the middle of a connect, and what that costs is no news.
            for pool in pools if not self.probe.kind else ():
                check_slots(pool)
            self._probe_shutdown(pools)
            self.observers.sweeping()
            with_frames = self.activity.installed or bool(self.config.blackbox) or self._has_long_task(pools)
            snapshot = self.checks.check(self.checks.moment("sweep"), pools, with_frames)
            self.observers.swept(snapshot)
            self.ledger.forget_departed(pools)
        return self.guard.enabled and self._is_needed()

    def sweep_on_loop(self) -> bool:
        """One sweep of an event loop, needed only if there is no thread."""
        if not self.thread.alive:
            self.sweep()
        return self.guard.enabled and (
            bool(self.probe.left_behind)
            or any(pool.is_async and pool.state == "open" for pool in self.ledger.pools.copy().values())
        )

    def _watch_activity(self, pools: list[TrackedPool]) -> None:
        """Record whether connections are at work while one of them has been checked out for long."""
        old_mono = clock.monotonic() - self.config.held_s / 2
        wanted = any(connection.taken_mono < old_mono for pool in pools for connection in pool.taken())
        guard = self.guards.activity
        with guard:
            if wanted and not self.activity.installed and guard.enabled:
                self.activity.install()
            elif not wanted and self.activity.installed:
                self.activity.uninstall()

    def _has_long_task(self, pools: list[TrackedPool]) -> bool:
        """Whether a worker has been in one task for long enough to ask where it is."""
        old_mono = clock.monotonic() - self.config.held_s / 2
        return any(task.started_mono < old_mono for pool in pools for task in list(pool.worker_tasks.values()))

    # the end

    def _probe_shutdown(self, pools: list[TrackedPool]) -> None:
        if self.guards.ending.enabled:
            with self.guards.ending:
                if not self.probe.kind:
                    when_main_thread_ends(self._main_thread_ended)
                self.checks.ending = self.probe.check(pools)

    def _main_thread_ended(self) -> None:
        """If other threads are waited for now, a thread must be there that can report so."""
        if ends_without_atexit():
            self.give_verdict("multiprocessing")
            return
        if not self.guards.ending.enabled or self.config.level == "exit" or self.over:
            return
        with self.guards.ending:
            self.ledger.synchronize()
            self.probe.check(self.ledger.entries())
            if self._is_needed() and not self.thread.alive and has_threads_to_wait_for():
                try:
                    self.thread.start()
                except RuntimeError:  # Python 3.12.0 to 3.12.2 start no thread any more
                    pass
