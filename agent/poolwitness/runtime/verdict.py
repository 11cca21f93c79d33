"""Give the verdict at the end of the process: report what is open, then close it if that was asked for."""

from __future__ import annotations

from poolwitness.config import Config
from poolwitness.diagnose.lifecycle import exit_delayed
from poolwitness.diagnose.registry import is_ignored
from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observer, Observers
from poolwitness.ledger.pools import TrackedPool
from poolwitness.model.process_end import runs_finalizers
from poolwitness.model.records import Snapshot
from poolwitness.report import build as events
from poolwitness.report.finalizer_lines import LateExit
from poolwitness.report.open_sinks import json_renderer
from poolwitness.runtime.checks import MOST_THREADS_SAMPLED, RuleChecks
from poolwitness.runtime.close_pools import close_all
from poolwitness.runtime.lifecycle_events import LifecycleEvents
from poolwitness.runtime.sweep import SweepScheduler
from poolwitness.snapshot.owners import find_owners

# How long a line may wait for its reader now.
PATIENCE_S = 0.2


class Verdict(Observer):
    """Given once in a process, by the best hook there is.

    Args:
        config: the settings.
        ledger: what is known.
        checks: checks the rules.
        lifecycle: knows whether there was any pool to give a verdict on.
        sweep: stopped before the verdict.
        observers: notified that the process is ending, and that the verdict was given.
        guard: contains what our lines raise.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        checks: RuleChecks,
        lifecycle: LifecycleEvents,
        sweep: SweepScheduler,
        observers: Observers,
        guard: Guard,
    ) -> None:
        self.config = config
        self.ledger = ledger
        self.checks = checks
        self.lifecycle = lifecycle
        self.sweep = sweep
        self.observers = observers
        self.guard = guard
        self.begun = False

    def forked(self) -> None:
        self.begun = False

    def give(self, hook: str) -> None:
        """Give the verdict, then close what was asked to be closed.

        Args:
            hook: what ends the process, as ``poolwitness.hook`` gives it.
        """
        with self.guard:
            self.ledger.synchronize()
            if self.begun or not self.lifecycle.started:
                self.observers.verdict_given()
                return
            self.begun = True
            self.observers.process_ending(hook)
            self.ledger.drain()
            self.checks.reporter.pipeline.patience_s = PATIENCE_S
            pools = self.ledger.entries()
            finalizers = runs_finalizers(hook)
            snapshot = self._report(pools, hook, finalizers)
            self.observers.verdict_given()
            if self.config.close:
                self._close_pools(pools)
            elif finalizers:
                self._prepare_finalizers(pools, snapshot)

    def _report(self, pools: list[TrackedPool], hook: str, finalizers: bool) -> Snapshot:
        checks, reporter = self.checks, self.checks.reporter
        checks.sampler.sample(pools, MOST_THREADS_SAMPLED)
        find_owners(pools, checks.guards.owners)
        moment = checks.moment("verdict", killed=hook == "SIGTERM", finalizers=finalizers)
        snapshot = checks.check(moment, pools, with_frames=True)
        # What was checked out at the verdict was so at the end, whatever happens to it now.
        checks.suspicions.settle()
        self.sweep.over = True
        for pool in snapshot.pools:
            if pool.life.state != "closed" and not pool.life.inherited:
                checks.totals.add(pool)
        reporter.report_held_back()
        counts = dict(self.ledger.totals)
        counts["open"] = sum(1 for pool in snapshot.pools if pool.life.state == "open" and not pool.life.inherited)
        reporter.emit(
            "poolwitness.verdict",
            events.verdict(reporter, counts, checks.totals, snapshot, hook, reporter.pipeline.lost),
        )
        return snapshot

    def _prepare_finalizers(self, pools: list[TrackedPool], snapshot: Snapshot) -> None:
        # Rendered now, for finalizers that may have to write it when nothing can be rendered any more.
        config, python = self.config, snapshot.process.python
        prepared = LateExit(self.checks.reporter.pipeline, python, exit_delayed, json_renderer(config.profile))
        records = {pool.info.id: pool for pool in snapshot.pools}
        for tracked in pools:
            pool = records.get(tracked.id)
            if pool is None or pool.life.state != "open" or pool.info.is_async or pool.life.inherited:
                continue
            if not is_ignored(prepared.finding(pool), config.ignore):
                tracked.finalizer_notice = prepared.notice(pool)

    def _close_pools(self, pools: list[TrackedPool]) -> None:
        # All under one deadline.
        hosts = [pool.ref() for pool in pools if pool.state == "open" and not pool.inherited]
        close_all([host for host in hosts if host is not None], self.config.close_timeout_s)
