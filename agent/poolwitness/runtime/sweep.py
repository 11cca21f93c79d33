"""Have pools looked at from time to time: by a thread, by an event loop, and for how long there is a need."""

from __future__ import annotations

import math
from collections.abc import Callable

from poolwitness.ledger.pools import TrackedPool
from poolwitness.runtime import exit_hooks as exits
from poolwitness.runtime.dump_server import DumpServer
from poolwitness.runtime.sweeper_loop import LoopSweeper
from poolwitness.runtime.sweeper_thread import Sweeper
from poolwitness.snapshot import shutdown as ending
from poolwitness.snapshot.accounting import balance
from poolwitness.snapshot.shutdown import ShutdownProbe
from poolwitness.stages import Stages

THREADS_A_SWEEP = 8


class SweepScheduler:
    """The sweepers, and what one sweep does.

    Args:
        stages: what there is.
        asking: answered by the sweeper's thread.
        take_in: makes the ledger this process's own and current.
        at_exit: gives the verdict where no atexit callback will run.
    """

    def __init__(
        self, stages: Stages, asking: DumpServer, take_in: Callable[[], None], at_exit: Callable[[str], None]
    ) -> None:
        self.stages = stages
        self.asking = asking
        self.take_in = take_in
        self.at_exit = at_exit
        self.forget()

    def forget(self) -> None:
        """Start afresh, as a forked child does: the parent's threads are not in it."""
        sweep_s = self.stages.config.sweep_s
        # Whether the verdict has been told: there is nothing to look for any more.
        self.over = False
        self.ending = ShutdownProbe()
        # At level ``exit`` the sweeper answers, but does not look.
        self.sweeper = Sweeper(math.inf if self.stages.config.level == "exit" else sweep_s, self.sweep, self.asking)
        self.loop_sweeper = LoopSweeper(sweep_s, self.sweep_on_loop)

    def stop(self) -> None:
        """Look no more."""
        self.loop_sweeper.stop()
        self.sweeper.stop()

    def start(self, async_pool: TrackedPool | None) -> None:
        """Have pools looked at from time to time, and somebody there who answers meanwhile."""
        if self.over or (self.stages.config.level == "exit" and not self.asking.wants_thread):
            return
        if async_pool is None or self.asking.wants_thread:
            if not self.sweeper.alive:
                self.asking.open()
                self.sweeper.start()
        else:
            self.loop_sweeper.start()
            self.asking.listen_on_loop()

    def end_idle_sweeper(self) -> None:
        """Without anything to look after the thread ends: a fork, or a join of all threads, may be near."""
        with self.stages.parts["sweeper"]:
            if self.sweeper.alive and not self.needs_sweeper():
                self.sweeper.stop()

    def needs_sweeper(self) -> bool:
        """Whether a sync pool is open, or a connection of one that was closed is still out."""
        any_pool = self.asking.wants_thread or self.ending.kind == "threads"
        return any(
            not entry.inherited and (not entry.is_async or any_pool) and (entry.state == "open" or bool(entry.taken()))
            for entry in self.stages.ledger.pools.copy().values()
        )

    def sweep(self) -> bool:
        """The sweeper's look; whether there is to be another."""
        stages = self.stages
        part, inspector, blackbox = stages.parts["sweeper"], stages.inspector, stages.blackbox
        if not part.enabled or self.over:
            return False
        with part:
            self.take_in()
            entries = stages.ledger.entries()
            entries += [entry for entry in self.ending.remember(entries) if entry not in entries]
            inspector.sample(entries, THREADS_A_SWEEP)
            inspector.watch_activity(entries)
            # At its end a program cancels workers in the middle of a connect, and what that costs is no news.
            for entry in entries if not self.ending.kind else ():
                balance(entry)
            self._look_for_the_end(entries)
            mark = blackbox.mark() if blackbox is not None else 0
            snapshot = inspector.look(
                "sweep",
                entries,
                with_standing=inspector.activity.installed
                or bool(stages.config.blackbox)
                or inspector.has_long_stint(entries),
            )
            if blackbox is not None:
                blackbox.swept(mark, snapshot)
            if stages.telemetry is not None:
                stages.telemetry.look()
            stages.ledger.forget_departed(entries)
        return part.enabled and self.needs_sweeper()

    def sweep_on_loop(self) -> bool:
        """The look of an event loop, needed only where the sweeper has no thread."""
        if not self.sweeper.alive:
            self.sweep()
        return self.stages.parts["sweeper"].enabled and (
            bool(self.ending.left_behind)
            or any(entry.is_async and entry.state == "open" for entry in self.stages.ledger.pools.copy().values())
        )

    def main_thread_over(self) -> None:
        """The main thread is over; where others are waited for, somebody must be there to say so."""
        if exits.ends_without_atexit():
            self.at_exit("multiprocessing")
            return
        part = self.stages.parts["ending"]
        if not part.enabled or self.stages.config.level == "exit" or self.over:
            return
        with part:
            self.take_in()
            self.ending.look(self.stages.ledger.entries())
            if self.needs_sweeper() and not self.sweeper.alive and ending.has_threads_to_wait_for():
                try:
                    self.sweeper.start()
                except RuntimeError:  # Python 3.12.0 to 3.12.2 start no thread any more
                    pass

    def _look_for_the_end(self, entries: list[TrackedPool]) -> None:
        part = self.stages.parts["ending"]
        if part.enabled:
            with part:
                if not self.ending.kind:
                    ending.when_main_thread_is_over(self.main_thread_over)
                self.stages.inspector.ending = self.ending.look(entries)
