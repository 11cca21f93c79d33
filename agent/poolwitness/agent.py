"""Create and connect everything that the agent of this process consists of: once, in the order of its dependencies.

The patches of `observe` record into the `ledger` and call the observers; `snapshot` freezes the ledger, `diagnose`
finds faults in a snapshot, `report` writes them; `runtime` decides when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from poolwitness.config import Config
from poolwitness.diagnose.registry import run_rules
from poolwitness.guards import Guards
from poolwitness.ledger import fork
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observers
from poolwitness.model.findings import Finding
from poolwitness.model.records import Snapshot
from poolwitness.observe import install as install_patches
from poolwitness.observe.patcher import Patcher
from poolwitness.observe.pools import PoolPatches
from poolwitness.report.open_sinks import open_sinks
from poolwitness.report.pipeline import Pipeline
from poolwitness.report.sinks import Render, Sink
from poolwitness.runtime import exit_hooks
from poolwitness.runtime.checks import RuleChecks
from poolwitness.runtime.dump_server import DumpServer
from poolwitness.runtime.lifecycle_events import LifecycleEvents
from poolwitness.runtime.reporter import Reporter
from poolwitness.runtime.sweep import SweepScheduler
from poolwitness.runtime.verdict import Verdict
from poolwitness.snapshot.take import freeze_pool
from poolwitness.snapshot.versions import installed_versions

if TYPE_CHECKING:
    from poolwitness.blackbox.recorder import BlackBoxRecorder
    from poolwitness.model.startup import OpenedFile
    from poolwitness.otel.logs import OtelSink
    from poolwitness.otel.session import OtelSession
    from poolwitness.otel.timings import Timings


# Wrapped by `boot.first_pool`, which loads this module.
CONSTRUCTORS = ("ConnectionPool.__init__", "AsyncConnectionPool.__init__")


class Agent:
    """One process's agent.

    Args:
        config: the settings.
        how: the way in: ``pth``, ``sitecustomize`` or ``activate``.
        opened: the files that were opened when psycopg_pool was imported, by their paths.
        sigterm: gives whether SIGTERM is handled, for the started event.
    """

    def __init__(
        self, config: Config, how: str, opened: Mapping[str, OpenedFile], sigterm: Callable[[], str] = lambda: "0"
    ) -> None:
        self.config = config
        self.sigterm = sigterm
        self.observers = Observers()
        self.guards = guards = Guards(self.observers.component_failed)
        self.ledger = ledger = Ledger(self.observers)
        self.patcher = Patcher()
        versions = installed_versions()

        self._problems = list(config.problems)
        self._otel_sink: OtelSink | None = None
        self.sinks = open_sinks(config, self._problems, opened, {"otel": self._make_otel_sink})
        self.reporter = Reporter(Pipeline(self.sinks), guards.report)
        self.checks = RuleChecks(config, ledger, self.reporter, guards, versions)
        self.lifecycle = LifecycleEvents(
            self.reporter,
            self.checks,
            guards.lifecycle,
            versions,
            how,
            hooks=lambda: [*CONSTRUCTORS, *self.patcher.live],
            settings=self._settings,
            problems=self._all_problems,
            on_start=partial(exit_hooks.watch, self.give_verdict),
        )
        self.dump_server = DumpServer(config, self.checks, guards.asked)
        self.sweep = SweepScheduler(
            config, ledger, self.checks, self.dump_server, self.observers, guards, self.give_verdict
        )
        self.verdict = Verdict(config, ledger, self.checks, self.lifecycle, self.sweep, self.observers, guards.exit)
        self.timings: Timings | None = None
        self.otel = self._make_otel() if self._otel_sink is not None else None
        self.blackbox = self._make_blackbox(versions) if config.blackbox else None

    def install(self) -> PoolPatches:
        """Register the observers and patch the pool classes; gives what the wrapped constructors call."""
        optional = [self.blackbox, self.timings, self.otel]
        self.observers.register(
            [
                *[observer for observer in optional if observer is not None],
                self.reporter,
                self.lifecycle,
                self.checks,
                self.sweep,
                self.dump_server,
                self.verdict,
            ]
        )
        fork.watch(self.ledger.forked)
        pools = install_patches(self.patcher, self.ledger, self.observers, self.guards, self.config.level)
        self.sweep.install()
        self.dump_server.install()
        if self.otel is not None:
            self.otel.install()
        return pools

    def uninstall(self) -> None:
        """Leave the program as it was found."""
        self.guards.disable_all()
        self.patcher.undo()
        self.sweep.uninstall()
        self.dump_server.uninstall()
        exit_hooks.unwatch()
        fork.uninstall()
        if self.blackbox is not None:
            self.blackbox.discard()
        if self.otel is not None:
            self.otel.uninstall()
        self.observers.register([])
        self.reporter.pipeline.close()

    def give_verdict(self, hook: str) -> None:
        """The process is ending: see `Verdict.give`."""
        self.verdict.give(hook)

    def snapshot(self) -> Snapshot:
        """What is known now."""
        self.ledger.synchronize()
        return self.checks.take_full()

    def findings(self) -> list[Finding]:
        """What the rules find now; nothing is reported by asking."""
        return run_rules(self.snapshot(), self.config)[0]

    # what is there only if it was asked for

    def _make_blackbox(self, versions: dict[str, tuple[int, ...]]) -> BlackBoxRecorder | None:
        with self.guards.blackbox:
            from poolwitness.blackbox.recorder import BlackBoxRecorder

            return BlackBoxRecorder(
                self.config,
                self.ledger,
                freeze_pool,
                versions,
                self.reporter.emit_setting_invalid,
                self.guards.blackbox,
            )
        return None

    def _make_otel_sink(self, render: Render) -> Sink:
        from poolwitness.otel.logs import OtelSink

        self._otel_sink = OtelSink(render)
        return self._otel_sink

    def _make_otel(self) -> OtelSession | None:
        with self.guards.telemetry:
            from poolwitness.otel.session import OtelSession
            from poolwitness.otel.timings import Timings

            assert self._otel_sink is not None
            self.timings = Timings(self.guards.telemetry)
            give_verdict = partial(self.give_verdict, "atexit")
            return OtelSession(self.ledger, self._otel_sink, self.timings, give_verdict, self.guards.telemetry)
        return None

    def _settings(self) -> dict[str, Any]:
        config, signal = self.config, self.dump_server.signal
        settings: dict[str, Any] = {
            "level": config.level,
            "output": ",".join(config.outputs),
            "format": config.format,
            "profile": config.profile,
            "close": config.close,
            "held_s": config.held_s,
            "sweep_s": config.sweep_s,
        }
        if config.signal:
            settings["signal"] = config.signal if signal.live else f"{config.signal}, not heard"
        if config.sigterm:
            settings["sigterm"] = self.sigterm()
        return settings

    def _all_problems(self) -> list[str]:
        return [*self._problems, *filter(None, [self.dump_server.signal.problem()])]


_agent: Agent | None = None


def start(
    environ: Mapping[str, str], how: str, opened: Mapping[str, OpenedFile], sigterm: Callable[[], str] = lambda: "0"
) -> Agent:
    """Create the agent of this process; it observes nothing before `Agent.install`. For the arguments see `Agent`."""
    global _agent
    _agent = Agent(Config.from_environ(environ), how, opened, sigterm)
    return _agent


def stop() -> None:
    """Remove the agent from this process."""
    global _agent
    agent, _agent = _agent, None
    if agent is not None:
        agent.uninstall()


def give_verdict(hook: str) -> None:
    """The process is ending, as *hook* says; without an agent there is nothing to report."""
    if _agent is not None:
        _agent.give_verdict(hook)


def current_dump() -> bytes | None:
    """The live state as `poolwitness dump` reads it; None before the first pool of this process."""
    return _agent.dump_server.document() if _agent is not None else None


def current() -> Agent:
    """The agent of this process.

    Raises:
        RuntimeError: it is not loaded: there was no pool yet, or it could not be.
    """
    if _agent is None:
        raise RuntimeError("poolwitness is not active in this process: see the line that it has written")
    return _agent
