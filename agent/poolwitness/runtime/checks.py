"""Look at the ledger: make a snapshot, run the rules over it, tell what is new, take back what passed."""

from __future__ import annotations

import os
import sys
import time

from poolwitness.config import Config
from poolwitness.diagnose.exhaustion import MOST_HOLDERS, timeout_note, worst_first
from poolwitness.diagnose.lifecycle import CROWD
from poolwitness.diagnose.registry import VERDICT, run_rules
from poolwitness.guards import Guard
from poolwitness.ledger.connections import running
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedConnection, TrackedPool, WorkerTask
from poolwitness.model.findings import Finding
from poolwitness.model.records import Ending, ProcessRecord, Snapshot
from poolwitness.observe.query_activity import ActivityWatch
from poolwitness.report import build
from poolwitness.report.pool_totals import PoolTotals
from poolwitness.runtime.reporter import Reporter
from poolwitness.snapshot import owners
from poolwitness.snapshot.holders import ThreadFrames
from poolwitness.snapshot.sampling import Sampler
from poolwitness.snapshot.take import record_pool
from poolwitness.snapshot.versions import installed_versions

# At the verdict a thread costs some 100 µs to ask about: enough for a dozen pools, bounded for a thousand.
MOST_THREADS_SAMPLED = 64
MOST_WITH_STANDING = 16
MOST_OWNED = 200


class RuleChecks:
    """Everything that happens between the ledger and the teller.

    Args:
        config: the settings.
        ledger: what is known.
        teller: whom findings are handed to.
        parts: the containments, by name.
    """

    def __init__(self, config: Config, ledger: Ledger, teller: Reporter, parts: dict[str, Guard]) -> None:
        self.config = config
        self.ledger = ledger
        self.teller = teller
        self.parts = parts
        self.versions = installed_versions()
        self.sampler = Sampler()
        self.activity = ActivityWatch(ledger, parts["activity"])
        self.forget()

    def forget(self) -> None:
        """Start afresh, as a forked child does."""
        self.suspicions: dict[int, list[Finding]] = {}
        self.stuck: dict[int, Finding] = {}
        # What the last sweep saw the program wait for, at its end.
        self.ending: Ending | None = None
        # Whether the process is about to die of a signal.
        self.killed = False
        # Whether finalizers will run at its end.
        self.finalizers = True
        self.figures = PoolTotals()
        self.crowded: set[object] = set()

    def full_snapshot(self) -> Snapshot:
        """What is known now, threads and owners included."""
        entries = self.ledger.entries()
        self.sample(entries, MOST_THREADS_SAMPLED)
        self.find_owners(entries)
        return self.snapshot_of(entries, "event", with_standing=True)

    def notice_crowd(self, entry: TrackedPool) -> None:
        """Look for a crowd around a pool that was just opened; a crowd that was told is not looked at again."""
        if len(self.ledger.pools) < CROWD or entry.origin in self.crowded or entry.target in self.crowded:
            return
        pools = list(self.ledger.pools.values())
        alike = [
            other
            for other in pools
            if other.state == "open"
            and (other.origin == entry.origin or (other.target == entry.target and entry.target.known))
        ]
        if len(alike) >= CROWD:
            self.crowded.update((entry.origin, entry.target if entry.target.known else entry.origin))
            self.look("event", alike)

    def snapshot_of(self, entries: list[TrackedPool], moment: str, with_standing: bool) -> Snapshot:
        """A snapshot of some pools."""
        standing = ThreadFrames() if with_standing else None
        # A sweep is there for what has been out for long; half the limit is where that begins.
        held_from_s = self.config.held_s / 2 if moment == "sweep" and not self.config.blackbox else 0.0
        try:
            return Snapshot(
                taken_at=time.time(),
                taken_mono=time.monotonic(),
                moment=moment,
                process=ProcessRecord(
                    pid=os.getpid(),
                    python=(sys.version_info.major, sys.version_info.minor, sys.version_info.micro),
                    versions=self.versions,
                    greenlets=running().greenlet is not None,
                ),
                pools=tuple(
                    record_pool(
                        entry,
                        standing if index < MOST_WITH_STANDING or entry.stints or entry.taken() else None,
                        held_from_s,
                    )
                    for index, entry in enumerate(entries)
                    if entry.name
                ),
                dropped_records=self.ledger.dropped_records,
                held_limit_s=self.config.held_s,
                closes_at_exit=self.config.close,
                ending=self.ending,
                killed=self.killed,
                finalizers=self.finalizers,
            )
        finally:
            if standing is not None:
                standing.done()

    def sample(self, entries: list[TrackedPool], most: int) -> None:
        """Ask the operating system about the pools' threads; a verdict without its answer is still one."""
        part = self.parts["threads"]
        if part.enabled:
            with part:
                self.sampler.sample(entries, most)

    def find_owners(self, entries: list[TrackedPool]) -> None:
        """Note who keeps open pools and connections that are out alive."""
        own = [entry for entry in entries if not entry.inherited]
        holders: list[TrackedPool | TrackedConnection] = [entry for entry in own if entry.state == "open"]
        holders += [slot for entry in own for slot in entry.out]
        with self.parts["owners"]:
            if not self.parts["owners"].enabled:
                return
            targets = {id(target): holder for holder in holders if (target := holder.ref()) is not None}
            for key, path in owners.owners_of([holder.ref() for holder in list(targets.values())[:MOST_OWNED]]).items():
                targets[key].kept_by = path

    def look(self, moment: str, entries: list[TrackedPool], with_standing: bool = False) -> Snapshot:
        """Run the rules over some pools and tell what is new."""
        snapshot = self.snapshot_of(entries, moment, with_standing)
        found, ignored = run_rules(snapshot, self.config)
        for finding in found:
            needs = finding.rule.needs
            if not needs or self.parts[needs].enabled:  # otherwise its evidence is out of date
                self.tell(finding)
        self.teller.ignored.update(finding.key for finding in ignored)
        if moment == "verdict":
            # What a rule found at the verdict was true at the end, whatever happens now.
            for findings in self.suspicions.values():
                findings[:] = [finding for finding in findings if VERDICT not in finding.rule.moments]
        return snapshot

    def tell(self, finding: Finding) -> None:
        """Tell a finding, with what belongs to it."""
        if finding.rule.lists_holders and finding.pool is not None:
            report_id = os.urandom(8).hex()
            rows = (
                ("poolwitness.holder", build.holder(finding, checkout, rank, report_id))
                for rank, checkout in enumerate(worst_first(finding.pool)[:MOST_HOLDERS], start=1)
            )
            self.teller.tell(finding, {"poolwitness.report_id": report_id}, rows)
        elif self.teller.tell(finding):
            if finding.rule.retractable == "checkout":
                self.suspect(finding)
            elif finding.rule.retractable == "worker":
                self.suspect_worker(finding)

    def suspect(self, finding: Finding) -> None:
        """Remember a suspicion, so that the connection's return takes it back."""
        for slot in list(self.ledger.slots.values()):
            if slot.id == finding.extra["poolwitness.checkout.id"]:
                self.suspicions.setdefault(slot.id, []).append(finding)
                slot.suspected = finding.rule.confidence
                if slot.raw is None:  # it came back while this was being told
                    slot.held_s = time.monotonic() - slot.taken_mono
                    slot.suspected = ""
                    self.came_back(slot)
                return

    def suspect_worker(self, finding: Finding) -> None:
        """Remember what a worker is suspected of, so that its coming back takes it back."""
        for entry in self.ledger.entries():
            if finding.pool is None or entry.id != finding.pool.info.id:
                continue
            names = {id(ref()): name for _, ref, name, _ in entry.threads}
            for stint in list(entry.stints.values()):
                if names.get(stint.runner_id) == finding.extra["poolwitness.worker.name"]:
                    self.stuck[stint.id] = finding
                    stint.suspected = True
                    if stint.over_mono:  # it came back while this was being told
                        self.worker_came_back(stint)
                    return
        self.teller.take_back(finding, float(str(finding.extra["poolwitness.worker.busy_s"])))

    def worker_came_back(self, stint: WorkerTask) -> None:
        """A suspected worker has come out of its task."""
        finding = self.stuck.pop(stint.id, None)
        if finding is not None:
            self.teller.take_back(finding, stint.over_mono - stint.started_mono)

    def has_long_stint(self, entries: list[TrackedPool]) -> bool:
        """Whether a worker has been in one task for long enough to ask where it stands."""
        old_mono = time.monotonic() - self.config.held_s / 2
        return any(stint.started_mono < old_mono for entry in entries for stint in list(entry.stints.values()))

    def watch_activity(self, entries: list[TrackedPool]) -> None:
        """Watch connections at work while one of them has been out for long."""
        old_mono = time.monotonic() - self.config.held_s / 2
        wanted = any(slot.taken_mono < old_mono for entry in entries for slot in entry.taken())
        with self.parts["activity"]:
            if wanted and not self.activity.installed and self.parts["activity"].enabled:
                self.activity.install()
            elif not wanted and self.activity.installed:
                self.activity.uninstall()

    def came_back(self, slot: TrackedConnection) -> None:
        """A suspected connection was returned."""
        for finding in self.suspicions.pop(slot.id, ()):
            self.teller.take_back(finding, slot.held_s)

    def picture(self, entry: TrackedPool) -> str:
        """The note for a request that was refused."""
        standing = ThreadFrames()
        try:
            return timeout_note(record_pool(entry, standing), time.time())
        finally:
            standing.done()
