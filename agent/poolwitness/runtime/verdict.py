"""The verdict: what is open at the end of the process is told, then closed where that was asked for."""

from __future__ import annotations

from collections.abc import Callable

from poolwitness.diagnose.lifecycle import exit_delayed
from poolwitness.diagnose.registry import is_ignored
from poolwitness.ledger.pools import TrackedPool
from poolwitness.model.records import Snapshot
from poolwitness.report import build
from poolwitness.report.finalizer_events import LateExit
from poolwitness.report.open_sinks import json_renderer
from poolwitness.runtime import close_pools as closing
from poolwitness.runtime import exit_hooks as exits
from poolwitness.runtime.checks import MOST_THREADS_SAMPLED
from poolwitness.runtime.lifecycle_events import LifecycleEvents
from poolwitness.runtime.sweep import SweepScheduler
from poolwitness.stages import Stages

PATIENCE_S = 0.2


class Verdict:
    """Given once a process, by the best hook there is.

    Args:
        stages: what there is.
        announcer: knows whether there has been anything to give a verdict on.
        looking: is stopped.
        take_in: makes the ledger this process's own and current.
    """

    def __init__(
        self, stages: Stages, announcer: LifecycleEvents, looking: SweepScheduler, take_in: Callable[[], None]
    ) -> None:
        self.stages = stages
        self.announcer = announcer
        self.looking = looking
        self.take_in = take_in
        self.begun = False

    def forget(self) -> None:
        """Start afresh, as a forked child does."""
        self.begun = False

    def give(self, hook: str) -> None:
        """The verdict, then what was asked to be closed.

        Args:
            hook: what ends the process, as ``poolwitness.hook`` says it.
        """
        stages = self.stages
        with stages.parts["exit"]:
            self.take_in()
            if self.begun or not self.announcer.started_told:
                self._end_blackbox()
                return
            self.begun = True
            if stages.telemetry is not None:
                stages.telemetry.before_verdict(hook)
            stages.inspector.killed = hook == "SIGTERM"
            stages.inspector.finalizers = exits.runs_finalizers(hook)
            self.looking.sweeper.stop()
            self.looking.asking.end()
            stages.ledger.drain()
            stages.pipeline.patience_s = PATIENCE_S
            entries = stages.ledger.entries()
            snapshot = self._tell(entries, hook)
            self._end_blackbox()
            if stages.config.close:
                self._close_pools(entries)
            elif stages.inspector.finalizers:
                self._prepare_late(entries, snapshot)

    def _tell(self, entries: list[TrackedPool], hook: str) -> Snapshot:
        stages, inspector = self.stages, self.stages.inspector
        inspector.sample(entries, MOST_THREADS_SAMPLED)
        inspector.find_owners(entries)
        snapshot = inspector.look("verdict", entries, with_standing=True)
        self.looking.over = True
        for pool in snapshot.pools:
            if pool.life.state != "closed" and not pool.life.inherited:
                inspector.figures.add(pool)
        stages.teller.tell_held_back()
        totals = dict(stages.ledger.totals)
        totals["open"] = sum(1 for pool in snapshot.pools if pool.life.state == "open" and not pool.life.inherited)
        stages.teller.emit(
            "poolwitness.verdict",
            build.verdict(stages.teller, totals, inspector.figures, snapshot, hook, stages.pipeline.lost),
        )
        return snapshot

    def _end_blackbox(self) -> None:
        # All that a dead process would have to say has been said, or there is nothing to say.
        if self.stages.blackbox is not None:
            self.stages.blackbox.verdict()

    def _prepare_late(self, entries: list[TrackedPool], snapshot: Snapshot) -> None:
        # Rendered now, for finalizers that may have to say it when nothing can be rendered any more.
        config = self.stages.config
        late = LateExit(self.stages.pipeline, snapshot.process.python, exit_delayed, json_renderer(config.profile))
        records = {pool.info.id: pool for pool in snapshot.pools}
        for entry in entries:
            pool = records.get(entry.id)
            if pool is None or pool.life.state != "open" or pool.info.is_async or pool.life.inherited:
                continue
            if not is_ignored(late.finding(pool), config.ignore):
                entry.late = late.notice(pool)

    def _close_pools(self, entries: list[TrackedPool]) -> None:
        # All pools under one deadline.
        pools = [entry.ref() for entry in entries if entry.state == "open" and not entry.inherited]
        closing.close_all([pool for pool in pools if pool is not None], self.stages.config.close_timeout_s)
