"""The composition root: the one module that knows every stage, and when each is asked.

observe → ledger → diagnose → report. Nothing here runs in a finalizer or under a lock of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from poolwitness import __version__, safety
from poolwitness.config import Config
from poolwitness.diagnose.examine import examine, is_ignored
from poolwitness.diagnose.findings import Finding
from poolwitness.diagnose.installed import spelled
from poolwitness.inspector import MOST_THREADS_SAMPLED, Inspector
from poolwitness.ledger import Ledger, PoolEntry
from poolwitness.observe import closing, forks
from poolwitness.observe.accounts import balance
from poolwitness.observe.adapters import AdapterWatch
from poolwitness.observe.checkouts import CheckoutWatch
from poolwitness.observe.connects import ConnectWatch
from poolwitness.observe.finalizers import FinalizerWatch
from poolwitness.observe.incidents import CheckoutIncidents
from poolwitness.observe.loops import LoopSweeper
from poolwitness.observe.patches import Patches
from poolwitness.observe.pools import PoolWatch
from poolwitness.observe.recorder import record_pool
from poolwitness.observe.sweeper import Sweeper
from poolwitness.observe.workers import WorkerWatch
from poolwitness.records import Snapshot
from poolwitness.report import events
from poolwitness.report.late_exit import LateExit
from poolwitness.report.outputs import open_sinks
from poolwitness.report.pipeline import Pipeline
from poolwitness.report.secrets import describe_error
from poolwitness.report.sinks import follow_in_child
from poolwitness.safety import Part
from poolwitness.stacks import RawStack
from poolwitness.teller import Teller

THREADS_A_SWEEP = 8
VERDICT_PATIENCE_S = 0.2

PARTS = (
    "pools",
    "checkouts",
    "connects",
    "adapters",
    "activity",
    "workers",
    "finalizers",
    "sweeper",
    "owners",
    "exit",
    "report",
)


class Watch(Protocol):
    """An observer that patches the host's classes."""

    def install(self, patches: Patches) -> None:
        """Put the patches in place."""


_agent: Agent | None = None


class Agent:
    """One process's agent: the ledger, the patches, the sweeper and the pipeline.

    Args:
        config: the settings.
        how: the way in: ``pth``, ``sitecustomize`` or ``activate``.
    """

    def __init__(self, config: Config, how: str) -> None:
        self.config = config
        self.how = how
        self.ledger = Ledger()
        self.patches = Patches()
        self.parts = {name: Part(name) for name in PARTS}
        self.pipeline = Pipeline(open_sinks(config))
        self.teller = Teller(self.pipeline, self.parts["report"])
        self.inspector = Inspector(config, self.ledger, self.teller, self.parts)
        self.sweeper = Sweeper(config.sweep_s, self.sweep)
        self.loop_sweeper = LoopSweeper(config.sweep_s, self.sweep_on_loop)
        self.started_told = False
        self.verdict_told = False

    def install(self) -> None:
        """Patch the pool classes; a watch that cannot be installed is left out and the others go on."""
        parts = self.parts
        pools = PoolWatch(self.ledger, self, parts["pools"])
        watches: list[tuple[Part, Watch]] = [
            (parts["pools"], pools),
            (parts["finalizers"], FinalizerWatch(self.ledger, parts["finalizers"])),
            (parts["workers"], WorkerWatch(self.ledger, self.worker_died, describe_error, parts["workers"])),
        ]
        if self.config.level != "exit":
            incidents = CheckoutIncidents(
                self.ledger,
                self.look_at,
                self.inspector.came_back,
                self.inspector.picture,
                lambda pool: pools.note_pool_closed(pool, waiting=True),
            )
            trace = self.config.level == "trace"
            adapters = AdapterWatch(self.ledger, self.adapters_repeated, parts["adapters"])
            watches += [
                (parts["adapters"], adapters),
                (parts["checkouts"], CheckoutWatch(self.ledger, incidents, parts["checkouts"], trace)),
                (
                    parts["connects"],
                    ConnectWatch(self.ledger, self.connect_failed, self.connected, describe_error, parts["connects"]),
                ),
            ]
        safety.on_failure(self.part_failed)
        for part, watch in watches:
            with part:
                watch.install(self.patches)
        with parts["sweeper"]:
            forks.watch(self.ledger.forked)

    def uninstall(self) -> None:
        """Put everything back."""
        for part in self.parts.values():
            part.enabled = False
        self.inspector.activity.uninstall()
        self.patches.undo()
        forks.forget()
        self.loop_sweeper.stop()
        self.sweeper.stop()
        safety.on_failure(None)

    # what the observers tell

    def about_to_create(self) -> None:
        """Say once that the agent is at work, and with what."""
        self.take_in()
        self.ledger.count("created")
        if self.started_told:
            return
        self.started_told = True
        settings = {
            "level": self.config.level,
            "output": ",".join(self.config.outputs),
            "format": self.config.format,
            "close": self.config.close,
            "held_s": self.config.held_s,
            "sweep_s": self.config.sweep_s,
        }
        versions = {name: spelled(version) for name, version in self.inspector.versions.items()}
        versions["poolwitness"] = __version__
        emit = self.teller.emit
        emit("poolwitness.agent.started", events.started(versions, settings, self.patches.live, self.how))
        for problem in self.config.problems:
            emit("poolwitness.agent.setting_invalid", {"level": "warning", "message": problem})

    def opened(self, entry: PoolEntry) -> None:
        """A pool has been opened."""
        self.ledger.count("opened")
        if self.teller.limit.allows(f"opened:{entry.origin.place if entry.origin else ''}"):
            self.teller.emit("poolwitness.pool.opened", events.pool_opened(record_pool(entry)))
        if self.config.level != "exit" and not self.verdict_told:
            with self.parts["sweeper"]:
                if entry.is_async:
                    self.loop_sweeper.start()
                elif not self.sweeper.alive:
                    self.sweeper.start()
        self.inspector.notice_crowd(entry)

    def closed(self, entry: PoolEntry) -> None:
        """A pool has been closed."""
        self.take_in()
        if entry.inherited:
            return
        self.ledger.count("closed")
        if entry.use_after_close is not None or entry.is_async:
            self.inspector.look("event", [entry])
        if self.teller.limit.allows(f"closed:{entry.origin.place if entry.origin else ''}"):
            self.teller.emit("poolwitness.pool.closed", events.pool_closed(record_pool(entry)))

    def used_after_close(self, entry: PoolEntry) -> None:
        """PoolClosed was raised; the closing may not be over yet, and then tells it itself."""
        self.take_in()
        if entry.closed_at is not None:
            self.inspector.look("event", [entry])

    def opened_in_constructor(self, entry: PoolEntry) -> None:
        """An async pool was opened by its constructor, on purpose."""
        self.inspector.look("event", [entry])

    def worker_died(self, entry: PoolEntry) -> None:
        """A worker is dying, and this is its thread."""
        self.look_at(entry)

    def connect_failed(self, entry: PoolEntry, new: bool) -> None:
        """A connection could not be made; each kind of error is told once."""
        self.take_in()
        if new and not entry.inherited and entry.name:
            self.inspector.look("event", [entry])

    def connected(self, entry: PoolEntry, seconds: float) -> None:
        """A connection was made; slow ones are told by the next look."""

    def adapters_repeated(self, entry: PoolEntry, line: RawStack, count: int) -> None:
        """A line registers the same adapters on checkout after checkout."""
        entry.adapters.append((line, count))
        self.look_at(entry)

    def look_at(self, entry: PoolEntry) -> None:
        """Something happened to one pool."""
        self.take_in()
        if not entry.inherited:
            self.inspector.look("event", [entry], with_standing=True)

    def part_failed(self, part: Part) -> None:
        """A part of the agent has failed and is off now."""
        self.teller.emit(
            "poolwitness.agent.part_disabled",
            {
                "level": "warning",
                "message": (
                    f"the agent's part {part.name!r} failed ({part.failure}) and is off; the program is not affected"
                ),
                "poolwitness.part": part.name,
            },
        )

    # looking

    def snapshot(self) -> Snapshot:
        """What is known now."""
        self.take_in()
        return self.inspector.full_snapshot()

    def findings(self) -> list[Finding]:
        """What the rules say now."""
        return examine(self.snapshot(), self.config)[0]

    def sweep(self) -> bool:
        """The sweeper's look."""
        part = self.parts["sweeper"]
        if not part.enabled or self.verdict_told:
            return False
        with part:
            self.take_in()
            entries = self.ledger.entries()
            self.inspector.sampler.sample(entries, THREADS_A_SWEEP)
            self.inspector.watch_activity(entries)
            for entry in entries:
                balance(entry)
            self.inspector.look("sweep", entries, with_standing=any(entry.out for entry in entries))
            self.ledger.forget_departed(entries)
        return part.enabled

    def sweep_on_loop(self) -> bool:
        """The look of an event loop, needed only where the sweeper has no thread."""
        if self.sweeper.alive:
            return True
        return self.sweep() and any(entry.is_async and entry.state == "open" for entry in self.ledger.entries())

    # processes

    def take_in(self) -> None:
        """Take in what finalizers and fork hooks left, and become a child's agent where this is one."""
        if self.ledger.forked:
            self.pipeline.after_fork()
            for sink in self.pipeline.fd_sinks():
                follow_in_child(sink)
            self.teller.forget()
            self.inspector.forget()
            self.started_told = self.verdict_told = False
            self.sweeper = Sweeper(self.config.sweep_s, self.sweep)
            self.loop_sweeper = LoopSweeper(self.config.sweep_s, self.sweep_on_loop)
        self.ledger.drain()

    def at_exit(self, hook: str) -> None:
        """The verdict, then what was asked to be closed."""
        with self.parts["exit"]:
            self.take_in()
            if self.verdict_told or not self.started_told:
                return
            self.sweeper.stop()
            self.ledger.drain()
            self.pipeline.patience_s = VERDICT_PATIENCE_S
            entries = self.ledger.entries()
            self.inspector.sampler.sample(entries, MOST_THREADS_SAMPLED)
            self.inspector.find_owners(entries)
            snapshot = self.inspector.look("verdict", entries, with_standing=True)
            self.verdict_told = True
            totals = dict(self.ledger.totals)
            totals["open"] = sum(1 for pool in snapshot.pools if pool.state == "open" and not pool.inherited)
            self.teller.emit("poolwitness.verdict", events.verdict(self.teller, totals, snapshot, hook))
            if self.config.close:
                self.close_pools(entries)
            else:
                self.prepare_late(entries, snapshot)

    def prepare_late(self, entries: list[PoolEntry], snapshot: Snapshot) -> None:
        """Render now what a finalizer may have to say later."""
        late = LateExit(self.pipeline, snapshot.process.python)
        records = {pool.id: pool for pool in snapshot.pools}
        for entry in entries:
            pool = records.get(entry.id)
            if pool is None or pool.state != "open" or pool.is_async or pool.inherited:
                continue
            if not is_ignored(late.finding(pool), self.config.ignore):
                entry.late = late.notice(pool)

    def close_pools(self, entries: list[PoolEntry]) -> None:
        """Close what is still open, all pools under one deadline."""
        pools = [entry.ref() for entry in entries if entry.state == "open" and not entry.inherited]
        closing.close_all([pool for pool in pools if pool is not None], self.config.close_timeout_s)


def start(environ: Mapping[str, str], how: str) -> None:
    """Build the agent of this process and put its hooks in place; psycopg_pool has been imported."""
    global _agent
    if _agent is not None:
        return
    agent = Agent(Config.from_environ(environ), how)
    agent.install()
    _agent = agent


def stop() -> None:
    """Take the agent out of this process."""
    global _agent
    agent, _agent = _agent, None
    if agent is not None:
        agent.uninstall()


def at_exit(hook: str) -> None:
    """The process is ending: see `Agent.at_exit`."""
    if _agent is not None:
        _agent.at_exit(hook)


def current() -> Agent:
    """The agent of this process.

    Raises:
        RuntimeError: it is not active, or psycopg_pool has not been imported yet.
    """
    if _agent is None:
        raise RuntimeError(
            "poolwitness is not active in this process: set POOLWITNESS=1 or call poolwitness.activate(), "
            "and import psycopg_pool"
        )
    return _agent
