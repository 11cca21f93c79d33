"""Run the rules over snapshots of the ledger; report new findings and resolve those that no longer hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from poolwitness.config import Config
from poolwitness.diagnose.exhaustion import MOST_HOLDERS, timeout_note, worst_first
from poolwitness.diagnose.lifecycle import CROWD
from poolwitness.diagnose.registry import run_rules
from poolwitness.guards import Guards
from poolwitness.ledger.connections import TrackedConnection, WorkerTask
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observer
from poolwitness.ledger.pools import TrackedPool
from poolwitness.model.findings import Finding
from poolwitness.model.records import Ending, Moment, Snapshot
from poolwitness.model.startup import clock
from poolwitness.report import build as events
from poolwitness.report.pool_totals import PoolTotals
from poolwitness.runtime.reporter import Reporter
from poolwitness.runtime.suspicions import Suspicions
from poolwitness.snapshot.owners import find_owners
from poolwitness.snapshot.take import take_snapshot
from poolwitness.snapshot.threads import ThreadSampler
from poolwitness.snapshot.versions import Versions

# At the verdict a thread costs some 100 µs to ask about: enough for a dozen pools, bounded for a thousand.
MOST_THREADS_SAMPLED = 64
# The note on a PoolTimeout is rebuilt after this long.
NOTE_AGE_S = 1.0
# What can be judged without knowing where the holders are now.
_WITHOUT_FRAMES = frozenset({"opened_in_constructor", "crossed_fork", "crossed_loops", "used_after_close"})


class RuleChecks(Observer):
    """Everything between the ledger and the reporter.

    Args:
        config: the settings.
        ledger: what is known.
        reporter: reports the findings.
        guards: one for each component.
        versions: the installed releases.
    """

    def __init__(self, config: Config, ledger: Ledger, reporter: Reporter, guards: Guards, versions: Versions) -> None:
        self.config = config
        self.ledger = ledger
        self.reporter = reporter
        self.guards = guards
        self.guard = guards.checks
        self.versions = versions
        self.sampler = ThreadSampler(guards.threads)
        self.suspicions = Suspicions(ledger, reporter)
        self._reset()

    def _reset(self) -> None:
        self.suspicions.reset()
        # What the last sweep saw the program wait for at its end.
        self.ending: Ending | None = None
        # Of all pools together, for the verdict.
        self.totals = PoolTotals()
        self._crowded: set[object] = set()
        # By pool: when its note was made (monotonic), and the note.
        self._notes: dict[int, tuple[float, str]] = {}

    # events

    def forked(self) -> None:
        self._reset()

    def pool_opened(self, pool: TrackedPool) -> None:
        """Check for a crowd around a pool that was just opened; a crowd that was reported is not checked again."""
        info = pool.info
        if (
            info is None
            or len(self.ledger.pools) < CROWD
            or pool.origin in self._crowded
            or info.database in self._crowded
        ):
            return
        alike = [other for other in list(self.ledger.pools.values()) if _are_alike(pool, other)]
        if len(alike) >= CROWD:
            self._crowded.update((pool.origin, info.database if info.database.known else pool.origin))
            self.check(self.moment(), alike)

    def pool_changed(self, pool: TrackedPool, change: str) -> None:
        if not pool.inherited or change == "crossed_fork":
            self.check(self.moment(), [pool], with_frames=change not in _WITHOUT_FRAMES)

    def pool_closed(self, pool: TrackedPool) -> None:
        # What it lost since the last sweep is reported now: the pool may be gone before there is another.
        if not pool.inherited and (pool.use_after_close is not None or pool.is_async or pool.lost):
            self.check(self.moment(), [pool])

    def connection_failed(self, pool: TrackedPool, is_new: bool) -> None:
        if is_new and not pool.inherited and pool.info is not None:
            self.check(self.moment(), [pool])

    def request_refused(self, pool: TrackedPool, error: BaseException, is_new: bool) -> None:
        """Report an episode of refused requests, and put the note on the exception: both from one snapshot."""
        if pool.inherited or pool.info is None:
            return
        now_mono = clock.monotonic()
        made_mono, note = self._notes.get(pool.id, (0.0, ""))
        if is_new or now_mono - made_mono > NOTE_AGE_S:
            snapshot = (
                self.check(self.moment(), [pool], with_frames=True)
                if is_new
                else self.take(self.moment(), [pool], True)
            )
            note = timeout_note(snapshot.pools[0], snapshot.taken_at)
            self._notes[pool.id] = (now_mono, note)
        add_note = getattr(error, "add_note", None)  # Python 3.11
        if add_note is not None:
            add_note(note)

    def suspicion_cleared(self, subject: TrackedConnection | WorkerTask) -> None:
        self.suspicions.clear(subject)

    # checks

    def moment(self, name: str = "event", killed: bool = False, finalizers: bool = True) -> Moment:
        """The moment of a snapshot that is taken now; for the arguments see `Moment`."""
        return Moment(name, self.ending, killed, finalizers)

    def take(self, moment: Moment, pools: Sequence[TrackedPool], with_frames: bool = False) -> Snapshot:
        """A snapshot of some pools."""
        # A sweep is there for what has been checked out for long; half the limit is where that begins.
        is_sweep = moment.name == "sweep" and not self.config.blackbox
        held_from_s = self.config.held_s / 2 if is_sweep else 0.0
        return take_snapshot(self.ledger, pools, moment, self.config, self.versions, with_frames, held_from_s)

    def take_full(self) -> Snapshot:
        """A snapshot of every pool, with samples of its threads and what keeps it alive."""
        pools = self.ledger.entries()
        self.sampler.sample(pools, MOST_THREADS_SAMPLED)
        find_owners(pools, self.guards.owners)
        return self.take(self.moment(), pools, with_frames=True)

    def check(self, moment: Moment, pools: Sequence[TrackedPool], with_frames: bool = False) -> Snapshot:
        """Run the rules over a snapshot of some pools, and report what is new."""
        snapshot = self.take(moment, pools, with_frames)
        self.report(snapshot)
        return snapshot

    def report(self, snapshot: Snapshot) -> None:
        """Run the rules over a snapshot, and report what is new."""
        found, ignored = run_rules(snapshot, self.config)
        for finding in found:
            needs = finding.rule.needs
            if not needs or getattr(self.guards, needs).enabled:  # otherwise its evidence is out of date
                self.report_finding(finding)
        self.reporter.ignored.update(finding.key for finding in ignored)

    def report_finding(self, finding: Finding) -> None:
        """Report one finding, with the events that belong to it."""
        if finding.rule.lists_holders and finding.pool is not None:
            report_id = os.urandom(8).hex()
            self.reporter.report(finding, {"poolwitness.report_id": report_id}, _holders(finding, report_id))
        elif self.reporter.report(finding):
            self.suspicions.add(finding)


def _holders(finding: Finding, report_id: str) -> Iterable[tuple[str, events.Event]]:
    assert finding.pool is not None
    for rank, checkout in enumerate(worst_first(finding.pool)[:MOST_HOLDERS], start=1):
        yield "poolwitness.holder", events.holder(finding, checkout, rank, report_id)


def _are_alike(pool: TrackedPool, other: TrackedPool) -> bool:
    if other.state != "open" or pool.info is None or other.info is None:
        return False
    database = pool.info.database
    return other.origin == pool.origin or (other.info.database == database and database.known)
