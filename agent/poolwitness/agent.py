"""The agent of this process: what watches, what tells, and when each of them is there.

observe → ledger → diagnose → report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from poolwitness.config import Config
from poolwitness.hearing import Hearing
from poolwitness.later import Later
from poolwitness.watching import Watching

if TYPE_CHECKING:
    from poolwitness.model.findings import Finding
    from poolwitness.model.records import Snapshot
    from poolwitness.runtime.dump_server import DumpServer
    from poolwitness.telling import Telling

_agent: Agent | None = None


class Agent:
    """One process's agent.

    Args:
        config: the settings.
        how: the way in: ``pth``, ``sitecustomize`` or ``activate``.
    """

    def __init__(self, config: Config, how: str) -> None:
        self.config = config
        self.watching = Watching(config, how)
        self.ledger, self.parts = self.watching.ledger, self.watching.parts
        self.later = Later(self.watching, at_exit)

    def install(self) -> None:
        """Patch the pool classes."""
        # These have something to do before there is a pool: to take a signal, a file, the application's provider.
        at_once = self.config.signal or self.config.blackbox or "otel" in self.config.outputs
        telling = self.later.load() if at_once else None
        if at_once and telling is None:
            return
        stages = telling.stages if telling is not None else None
        telemetry = stages.telemetry if stages is not None else None
        self.watching.install(
            Hearing(self.later, self.ledger),
            stages.blackbox if stages is not None else None,
            telemetry.timings if telemetry is not None else None,
        )
        if any(part.failure is not None for part in self.parts.values()):
            self.later.load()  # which says so

    def uninstall(self) -> None:
        """Put everything back."""
        self.later.end()
        self.watching.switch_off()
        if self.later.telling is not None:
            self.later.telling.uninstall()
        self.watching.uninstall()

    def load(self) -> Telling:
        """What tells of pools, loaded if it is not yet there.

        Raises:
            RuntimeError: it cannot be loaded, and the agent is off.
        """
        telling = self.later.load()
        if telling is None:
            raise RuntimeError("poolwitness is not active in this process: see the line that it has written")
        return telling

    @property
    def asking(self) -> DumpServer | None:
        """Who answers another process; None as long as there has been no pool."""
        return self.later.telling.asking if self.later.telling is not None else None

    def snapshot(self) -> Snapshot:
        """What is known now."""
        return self.load().snapshot()

    def findings(self) -> list[Finding]:
        """What the rules say now."""
        return self.load().findings()


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
    """The process is ending, as *hook* says: see `Verdict.give`. Without what tells there is nothing to tell."""
    telling = _agent.later.telling if _agent is not None else None
    if telling is not None:
        try:
            telling.verdict.give(hook)
        finally:
            telling.end()


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
