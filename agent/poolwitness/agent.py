"""The composition root: the one module that knows every stage, and how they are put together.

observe → ledger → diagnose → report.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from poolwitness import safety
from poolwitness.announcing import Announcer
from poolwitness.asking import Asking
from poolwitness.config import Config
from poolwitness.diagnose.examine import examine
from poolwitness.diagnose.findings import Finding
from poolwitness.hearing import Hearing
from poolwitness.looking import Looking
from poolwitness.observe import ending, exits, forks
from poolwitness.observe.adapters import AdapterWatch
from poolwitness.observe.checkouts import CheckoutWatch
from poolwitness.observe.connects import ConnectWatch
from poolwitness.observe.crossings import Crossings
from poolwitness.observe.finalizers import FinalizerWatch
from poolwitness.observe.incidents import CheckoutIncidents
from poolwitness.observe.patches import Patches
from poolwitness.observe.pools import PoolWatch
from poolwitness.observe.stints import StintWatch
from poolwitness.observe.waits import WaitWatch
from poolwitness.observe.workers import WorkerWatch
from poolwitness.records import Snapshot
from poolwitness.report.secrets import describe_error
from poolwitness.report.sinks import follow_in_child
from poolwitness.safety import Part
from poolwitness.stages import Stages
from poolwitness.verdict import Verdict


class Watch(Protocol):
    """An observer that patches the host's classes."""

    def install(self, patches: Patches) -> None:
        """Put the patches in place."""


_agent: Agent | None = None


class Agent:
    """One process's agent.

    Args:
        config: the settings.
        how: the way in: ``pth``, ``sitecustomize`` or ``activate``.
    """

    def __init__(self, config: Config, how: str) -> None:
        self.config = config
        self.stages = Stages(config, how)
        self.ledger, self.parts, self.blackbox = self.stages.ledger, self.stages.parts, self.stages.blackbox
        self.asking = Asking(config, self.stages.inspector, self.stages.teller, self.take_in, self.parts["asked"])
        self.announcer = Announcer(self.stages, self.asking, at_exit)
        self.looking = Looking(self.stages, self.asking, self.take_in, at_exit)
        self.verdict = Verdict(self.stages, self.announcer, self.looking, self.take_in)
        self.hearing = Hearing(self.stages, self.announcer, self.looking, self.take_in)

    def install(self) -> None:
        """Patch the pool classes; a watch that cannot be installed is left out and the others go on."""
        parts = self.parts
        safety.on_failure(self.hearing.part_failed)
        for part, watch in self._watches():
            with part:
                watch.install(self.stages.patches)
        with parts["sweeper"]:
            forks.watch(self.ledger.forked)
        if self.blackbox is not None:
            with parts["blackbox"]:
                forks.watch(self.blackbox.forked)
                self.ledger.listener = self.blackbox
        with parts["ending"]:
            ending.when_main_thread_is_over(self.looking.main_thread_over)
        with parts["asked"]:
            self.asking.install()
        if self.stages.telemetry is not None:
            self.stages.telemetry.begin(partial(at_exit, "atexit"))

    def _watches(self) -> list[tuple[Part, Watch]]:
        parts, ledger, hearing, inspector = self.parts, self.ledger, self.hearing, self.stages.inspector
        crossings = Crossings(ledger, self.take_in, hearing.crossed, parts["crossings"])
        requests_watched = self.config.level != "exit"
        pools = PoolWatch(ledger, hearing, parts["pools"], crossings, requests_watched)
        watches: list[tuple[Part, Watch]] = [
            (parts["pools"], pools),
            (parts["finalizers"], FinalizerWatch(ledger, parts["finalizers"])),
            (parts["workers"], WorkerWatch(ledger, hearing.worker_died, describe_error, parts["workers"])),
        ]
        if not requests_watched:
            return watches
        incidents = CheckoutIncidents(
            ledger,
            hearing.look_at,
            inspector.came_back,
            inspector.picture,
            pools.note_pool_closed,
        )
        trace = self.config.level == "trace"
        telemetry = self.stages.telemetry
        timings = telemetry.timings if telemetry is not None else None
        watches += [
            (parts["crossings"], crossings),
            (parts["adapters"], AdapterWatch(ledger, hearing.adapters_repeated, parts["adapters"])),
            (
                parts["checkouts"],
                CheckoutWatch(ledger, incidents, crossings, parts["checkouts"], trace, self.blackbox, timings),
            ),
            (parts["workers"], StintWatch(ledger, inspector.worker_came_back, parts["workers"])),
            (
                parts["connects"],
                ConnectWatch(ledger, hearing.connect_failed, hearing.connected, describe_error, parts["connects"]),
            ),
        ]
        if self.blackbox is not None:
            watches.append((parts["blackbox"], WaitWatch(self.blackbox, trace, parts["blackbox"])))
        return watches

    def uninstall(self) -> None:
        """Put everything back."""
        for part in self.parts.values():
            part.enabled = False
        self.stages.inspector.activity.uninstall()
        self.stages.patches.undo()
        forks.forget()
        ending.forget()
        exits.forget()
        self.looking.stop()
        self.asking.uninstall()
        self.ledger.listener = None
        if self.blackbox is not None:
            self.blackbox.discard()
        self.stages.pipeline.close()
        safety.on_failure(None)
        if self.stages.telemetry is not None:
            self.stages.telemetry.close()

    def take_in(self) -> None:
        """Take in what finalizers and fork hooks left, and become a child's agent where this is one."""
        forks.notice(self.ledger.pid)
        if self.ledger.forked:
            self._become_a_childs()
        self.ledger.drain()
        self.announcer.opened()

    def _become_a_childs(self) -> None:
        stages = self.stages
        stages.pipeline.after_fork()
        for sink in stages.pipeline.fd_sinks():
            follow_in_child(sink)
        stages.teller.forget()
        stages.inspector.forget()
        if stages.telemetry is not None:
            stages.telemetry.after_fork()
        self.announcer.forget()
        self.verdict.forget()
        self.asking.after_fork()
        self.looking.forget()
        self.ledger.drain()
        pools = self.ledger.pools.copy().values()
        forks.settle(own=not any(entry.inherited and entry.state == "open" for entry in pools))

    def snapshot(self) -> Snapshot:
        """What is known now."""
        self.take_in()
        return self.stages.inspector.full_snapshot()

    def findings(self) -> list[Finding]:
        """What the rules say now."""
        return examine(self.snapshot(), self.config)[0]

    def end(self) -> None:
        """Whatever became of the verdict, nothing more is said before the interpreter's end."""
        if self.stages.telemetry is not None:
            self.stages.telemetry.end()


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
    """The process is ending, as *hook* says: see `Verdict.give`."""
    if _agent is not None:
        try:
            _agent.verdict.give(hook)
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
