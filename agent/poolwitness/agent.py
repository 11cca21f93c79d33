"""The composition root: the one module that knows every stage, and when each is asked.

observe → ledger → diagnose → report. Nothing here runs in a finalizer or under a lock of ours.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from poolwitness import __version__, safety
from poolwitness.asking import Asking
from poolwitness.config import Config
from poolwitness.diagnose.examine import examine, is_ignored
from poolwitness.diagnose.findings import Finding
from poolwitness.diagnose.installed import spelled
from poolwitness.inspector import MOST_THREADS_SAMPLED, Inspector
from poolwitness.ledger import Ledger, PoolEntry
from poolwitness.observe import closing, ending, exits, forks, sigterm
from poolwitness.observe.accounts import balance
from poolwitness.observe.adapters import AdapterWatch
from poolwitness.observe.checkouts import CheckoutWatch
from poolwitness.observe.connects import ConnectWatch
from poolwitness.observe.crossings import Crossings
from poolwitness.observe.ending import EndingWatch
from poolwitness.observe.finalizers import FinalizerWatch
from poolwitness.observe.incidents import CheckoutIncidents
from poolwitness.observe.loops import LoopSweeper
from poolwitness.observe.patches import Patches
from poolwitness.observe.pools import PoolWatch
from poolwitness.observe.recorder import record_pool
from poolwitness.observe.stints import StintWatch
from poolwitness.observe.sweeper import Sweeper
from poolwitness.observe.waits import WaitWatch
from poolwitness.observe.workers import WorkerWatch
from poolwitness.records import Snapshot
from poolwitness.report import events
from poolwitness.report.late_exit import LateExit
from poolwitness.report.outputs import json_renderer, open_sinks
from poolwitness.report.pipeline import Pipeline
from poolwitness.report.secrets import describe_error
from poolwitness.report.sinks import follow_in_child
from poolwitness.safety import Part
from poolwitness.stacks import RawStack
from poolwitness.teller import Teller

if TYPE_CHECKING:
    from poolwitness.blackbox.box import BlackBox
    from poolwitness.report.otel_logs import OtelSink
    from poolwitness.telemetry import Telemetry

THREADS_A_SWEEP = 8
VERDICT_PATIENCE_S = 0.2

PARTS = (
    "pools",
    "checkouts",
    "connects",
    "crossings",
    "adapters",
    "activity",
    "workers",
    "finalizers",
    "sweeper",
    "ending",
    "threads",
    "owners",
    "asked",
    "blackbox",
    "telemetry",
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
        self.problems = list(config.problems)
        self.pipeline = Pipeline(open_sinks(config, self.problems))
        self.teller = Teller(self.pipeline, self.parts["report"])
        self.inspector = Inspector(config, self.ledger, self.teller, self.parts)
        self.asking = Asking(config, self.inspector, self.teller, self.take_in, self.parts["asked"])
        self.sweeper = self.new_sweeper()
        self.loop_sweeper = LoopSweeper(config.sweep_s, self.sweep_on_loop)
        self.blackbox = self.new_blackbox()
        self.telemetry = self.new_telemetry()
        self.ending = EndingWatch()
        self.opened_later: deque[PoolEntry] = deque()
        self.started_told = False
        self.verdict_begun = self.verdict_told = False

    def new_blackbox(self) -> BlackBox | None:
        """The black box, where one is asked for."""
        if not self.config.blackbox:
            return None
        part = self.parts["blackbox"]
        with part:
            from poolwitness.blackbox.box import BlackBox

            return BlackBox(self.config, self.ledger, record_pool, self.inspector.versions, self.tell_problem, part)
        return None

    def new_telemetry(self) -> Telemetry | None:
        """The metrics, where the output ``otel`` is asked for."""
        for sink in self.pipeline.sinks:
            if sink.name == "otel":
                from poolwitness.telemetry import Telemetry

                return Telemetry(self.ledger, cast("OtelSink", sink), self.parts["telemetry"])
        return None

    def install(self) -> None:
        """Patch the pool classes; a watch that cannot be installed is left out and the others go on."""
        parts = self.parts
        crossings = Crossings(self.ledger, self.take_in, self.crossed, parts["crossings"])
        pools = PoolWatch(self.ledger, self, parts["pools"], crossings)
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
            timings = self.telemetry.timings if self.telemetry is not None else None
            adapters = AdapterWatch(self.ledger, self.adapters_repeated, parts["adapters"])
            watches += [
                (parts["crossings"], crossings),
                (parts["adapters"], adapters),
                (
                    parts["checkouts"],
                    CheckoutWatch(self.ledger, incidents, crossings, parts["checkouts"], trace, self.blackbox, timings),
                ),
                (parts["workers"], StintWatch(self.ledger, self.inspector.worker_came_back, parts["workers"])),
                (
                    parts["connects"],
                    ConnectWatch(self.ledger, self.connect_failed, self.connected, describe_error, parts["connects"]),
                ),
            ]
            if self.blackbox is not None:
                watches.append((parts["blackbox"], WaitWatch(self.blackbox, trace, parts["blackbox"])))
        safety.on_failure(self.part_failed)
        for part, watch in watches:
            with part:
                watch.install(self.patches)
        with parts["sweeper"]:
            forks.watch(self.ledger.forked)
        if self.blackbox is not None:
            with parts["blackbox"]:
                forks.watch(self.blackbox.forked)
                self.ledger.listener = self.blackbox
        with parts["ending"]:
            ending.when_main_thread_is_over(self.main_thread_over)
        with parts["asked"]:
            self.asking.install()

    def uninstall(self) -> None:
        """Put everything back."""
        for part in self.parts.values():
            part.enabled = False
        self.inspector.activity.uninstall()
        self.patches.undo()
        forks.forget()
        ending.forget()
        exits.forget()
        self.loop_sweeper.stop()
        self.sweeper.stop()
        self.asking.uninstall()
        self.ledger.listener = None
        if self.blackbox is not None:
            self.blackbox.discard()
        self.pipeline.close()
        safety.on_failure(None)
        if self.telemetry is not None:
            self.telemetry.close()

    # what the observers tell

    def about_to_create(self) -> None:
        """A pool is about to be made."""
        self.take_in()
        self.ledger.count("created")
        self.tell_started()

    def tell_started(self) -> None:
        """Say once that the agent is at work, and with what."""
        if self.telemetry is not None:
            self.telemetry.look()
        if self.started_told:
            return
        self.started_told = True
        with self.parts["exit"]:
            exits.watch(at_exit)
        settings = {
            "level": self.config.level,
            "output": ",".join(self.config.outputs),
            "format": self.config.format,
            "profile": self.config.profile,
            "close": self.config.close,
            "held_s": self.config.held_s,
            "sweep_s": self.config.sweep_s,
        }
        versions = {name: spelled(version) for name, version in self.inspector.versions.items()}
        versions["poolwitness"] = __version__
        emit = self.teller.emit
        if self.config.signal:
            settings["signal"] = self.config.signal if self.asking.signal.live else f"{self.config.signal}, not heard"
        if self.config.sigterm:
            settings["sigterm"] = sigterm.state()
        emit("poolwitness.agent.started", events.started(versions, settings, self.patches.live, self.how))
        for problem in [*self.problems, *filter(None, [self.asking.signal.problem()])]:
            self.tell_problem(problem)

    def tell_problem(self, problem: str) -> None:
        """A setting cannot be used."""
        self.teller.emit("poolwitness.agent.setting_invalid", {"level": "warning", "message": problem})

    def keep(self, entry: PoolEntry) -> None:
        """Have a kill find this pool as it is now."""
        if self.blackbox is not None:
            self.blackbox.pool(entry)

    def made(self, entry: PoolEntry) -> None:
        """A pool has been made; the opening of one that is open is yet to be announced."""
        if entry.opened_at is None:
            self.keep(entry)

    def opened(self, entry: PoolEntry) -> None:
        """A pool has been opened; the call that opened it has yet to return.

        Nothing here lets go of the interpreter for a sync pool: its workers would run a moment earlier than they
        do without the agent, and a pool that is dropped at once would be finalized by one of them.
        """
        self.ledger.count("opened")
        self.keep(entry)
        self.opened_later.append(entry)
        if entry.is_async:
            with self.parts["sweeper"]:
                self.start_looking(entry)
            self.take_in()
        self.inspector.notice_crowd(entry)

    def about_to_open(self, is_async: bool) -> None:
        """A pool is about to be opened: the time to start a thread, which lets go of the interpreter."""
        forks.notice(self.ledger.pid)
        if self.ledger.forked:
            self.take_in()
        if not is_async and not self.verdict_told:
            with self.parts["sweeper"]:
                self.start_looking(None)

    def tell_opened(self) -> None:
        """Write of the pools that have been opened since."""
        if self.telemetry is not None and self.opened_later:
            self.telemetry.look()
        while self.opened_later:
            try:
                entry = self.opened_later.popleft()
            except IndexError:  # another thread was quicker
                break
            self.tell_started()  # a pool that was made before a fork
            self.teller.emit_one_of(
                f"opened:{entry.origin.place if entry.origin else ''}",
                "poolwitness.pool.opened",
                partial(opened_event, entry),
            )

    def start_looking(self, async_pool: PoolEntry | None) -> None:
        """Have pools looked at from time to time, and somebody there who answers meanwhile."""
        if self.config.level == "exit" and not self.asking.wants_thread:
            return
        if self.verdict_told:
            return
        if async_pool is None or self.asking.wants_thread:
            if not self.sweeper.alive:
                self.asking.open()
                self.sweeper.start()
        else:
            self.loop_sweeper.start()
            self.asking.listen_on_loop()

    def new_sweeper(self) -> Sweeper:
        """The sweeper of this process; at level ``exit`` it answers, but does not look."""
        return Sweeper(math.inf if self.config.level == "exit" else self.config.sweep_s, self.sweep, self.asking)

    def closed(self, entry: PoolEntry) -> None:
        """A pool has been closed."""
        self.take_in()
        self.keep(entry)
        if entry.inherited:
            return
        self.ledger.count("closed")
        if entry.use_after_close is not None or entry.is_async:
            self.inspector.look("event", [entry])
        if not entry.is_async:
            self.end_idle_sweeper()
        record = record_pool(entry)
        self.inspector.figures.add(record)
        self.teller.emit_one_of(
            f"closed:{entry.origin.place if entry.origin else ''}",
            "poolwitness.pool.closed",
            partial(events.pool_closed, record),
        )

    def end_idle_sweeper(self) -> None:
        """Without anything to look after the thread ends: a fork, or a join of all threads, may be near."""
        with self.parts["sweeper"]:
            if self.sweeper.alive and not self.needs_sweeper():
                self.sweeper.stop()

    def needs_sweeper(self) -> bool:
        """Whether a sync pool is open, or a connection of one that was closed is still out."""
        return any(
            not entry.inherited
            and (not entry.is_async or self.asking.wants_thread or self.ending.kind == "threads")
            and (entry.state == "open" or bool(entry.taken()))
            for entry in self.ledger.pools.copy().values()
        )

    def used_after_close(self, entry: PoolEntry) -> None:
        """PoolClosed was raised; the closing may not be over yet, and then tells it itself."""
        self.take_in()
        if entry.closed_at is not None:
            self.inspector.look("event", [entry])

    def crossed(self, entry: PoolEntry) -> None:
        """A pool is used in another process, or on another loop, than the one it was opened in."""
        self.keep(entry)
        self.tell_started()
        self.inspector.look("event", [entry])

    def opened_in_constructor(self, entry: PoolEntry) -> None:
        """An async pool was opened by its constructor, on purpose."""
        self.inspector.look("event", [entry])

    def worker_died(self, entry: PoolEntry) -> None:
        """A worker is dying, and this is its thread."""
        self.look_at(entry)

    def open_failed(self, entry: PoolEntry) -> None:
        """A pool could not be opened."""
        self.look_at(entry)

    def connect_failed(self, entry: PoolEntry, new: bool) -> None:
        """A connection could not be made; each kind of error is told once."""
        self.take_in()
        if self.blackbox is not None:
            self.blackbox.connect_failed(entry, new)
        if new and not entry.inherited and entry.name:
            self.inspector.look("event", [entry])

    def connected(self, entry: PoolEntry, seconds: float) -> None:
        """A connection was made; slow ones are told by the next look."""
        if self.blackbox is not None:
            self.blackbox.connected(entry)
        if self.telemetry is not None:
            self.telemetry.timings.connected(entry, seconds)

    def adapters_repeated(self, entry: PoolEntry, line: RawStack, count: int) -> None:
        """A line registers the same adapters on checkout after checkout."""
        entry.adapters.append((line, count))
        self.look_at(entry)

    def look_at(self, entry: PoolEntry) -> None:
        """Something happened to one pool."""
        self.take_in()
        self.keep(entry)
        if not entry.inherited:
            self.inspector.look("event", [entry], with_standing=True)

    def part_failed(self, part: Part) -> None:
        """A part of the agent has failed and is off now."""
        if self.blackbox is not None and part.name in ("blackbox", "checkouts", "pools"):
            self.blackbox.give_up()
        self.teller.emit("poolwitness.agent.part_disabled", events.part_disabled(part.name, part.failure))

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
            entries += [entry for entry in self.ending.remember(entries) if entry not in entries]
            self.inspector.sample(entries, THREADS_A_SWEEP)
            self.inspector.watch_activity(entries)
            for entry in entries:
                balance(entry)
            self.look_for_the_end(entries)
            mark = self.blackbox.mark() if self.blackbox is not None else 0
            snapshot = self.inspector.look(
                "sweep",
                entries,
                with_standing=self.inspector.activity.installed
                or bool(self.config.blackbox)
                or self.inspector.has_long_stint(entries),
            )
            if self.blackbox is not None:
                self.blackbox.swept(mark, snapshot)
            if self.telemetry is not None:
                self.telemetry.look()
            self.ledger.forget_departed(entries)
        return part.enabled and self.needs_sweeper()

    def look_for_the_end(self, entries: list[PoolEntry]) -> None:
        """See whether the program is ending and cannot."""
        part = self.parts["ending"]
        if part.enabled:
            with part:
                if not self.ending.kind:
                    ending.when_main_thread_is_over(self.main_thread_over)
                self.inspector.ending = self.ending.look(entries)

    def main_thread_over(self) -> None:
        """The main thread is over; where others are waited for, somebody must be there to say so."""
        if exits.ends_without_atexit():
            at_exit("multiprocessing")
            return
        part = self.parts["ending"]
        if not part.enabled or self.config.level == "exit" or self.verdict_told:
            return
        with part:
            self.take_in()
            self.ending.look(self.ledger.entries())
            if self.needs_sweeper() and not self.sweeper.alive and ending.has_threads_to_wait_for():
                try:
                    self.sweeper.start()
                except RuntimeError:  # Python 3.12.0 to 3.12.2 start no thread any more
                    pass

    def sweep_on_loop(self) -> bool:
        """The look of an event loop, needed only where the sweeper has no thread."""
        if not self.sweeper.alive:
            self.sweep()
        return self.parts["sweeper"].enabled and (
            bool(self.ending.left_behind)
            or any(entry.is_async and entry.state == "open" for entry in self.ledger.pools.copy().values())
        )

    # processes

    def take_in(self) -> None:
        """Take in what finalizers and fork hooks left, and become a child's agent where this is one."""
        forks.notice(self.ledger.pid)
        if self.ledger.forked:
            self.pipeline.after_fork()
            for sink in self.pipeline.fd_sinks():
                follow_in_child(sink)
            self.teller.forget()
            self.inspector.forget()
            if self.telemetry is not None:
                self.telemetry.timings.forget()
            self.started_told = self.verdict_begun = self.verdict_told = False
            self.asking.after_fork()
            self.opened_later.clear()
            self.ending = EndingWatch()
            self.sweeper = self.new_sweeper()
            self.loop_sweeper = LoopSweeper(self.config.sweep_s, self.sweep_on_loop)
            self.ledger.drain()
            pools = self.ledger.pools.copy().values()
            forks.settle(own=not any(entry.inherited and entry.state == "open" for entry in pools))
        self.ledger.drain()
        self.tell_opened()

    def at_exit(self, hook: str) -> None:
        """The verdict, then what was asked to be closed."""
        with self.parts["exit"]:
            self.take_in()
            if self.verdict_begun or not self.started_told:
                self.end_blackbox()
                return
            self.verdict_begun = True
            self.inspector.killed = hook == "SIGTERM"
            self.inspector.finalizers = exits.runs_finalizers(hook)
            self.sweeper.stop()
            self.asking.end()
            self.ledger.drain()
            self.pipeline.patience_s = VERDICT_PATIENCE_S
            entries = self.ledger.entries()
            self.inspector.sample(entries, MOST_THREADS_SAMPLED)
            self.inspector.find_owners(entries)
            snapshot = self.inspector.look("verdict", entries, with_standing=True)
            self.verdict_told = True
            for pool in snapshot.pools:
                if pool.state != "closed" and not pool.inherited:
                    self.inspector.figures.add(pool)
            self.teller.tell_held_back()
            totals = dict(self.ledger.totals)
            totals["open"] = sum(1 for pool in snapshot.pools if pool.state == "open" and not pool.inherited)
            self.teller.emit(
                "poolwitness.verdict",
                events.verdict(self.teller, totals, self.inspector.figures, snapshot, hook, self.pipeline.lost),
            )
            self.end_blackbox()
            if self.config.close:
                self.close_pools(entries)
            elif self.inspector.finalizers:
                self.prepare_late(entries, snapshot)

    def end(self) -> None:
        """Whatever became of the verdict, nothing more is said before the interpreter's end."""
        if self.telemetry is not None:
            self.telemetry.end()

    def end_blackbox(self) -> None:
        """All that a dead process would have to say has been said, or there is nothing to say."""
        if self.blackbox is not None:
            self.blackbox.verdict()

    def prepare_late(self, entries: list[PoolEntry], snapshot: Snapshot) -> None:
        """Render now what a finalizer may have to say later."""
        late = LateExit(self.pipeline, snapshot.process.python, json_renderer(self.config.profile))
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


def opened_event(entry: PoolEntry) -> events.Event:
    """``poolwitness.pool.opened`` of a pool as it is now."""
    return events.pool_opened(record_pool(entry))


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
        try:
            _agent.at_exit(hook)
        finally:
            _agent.end()


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
