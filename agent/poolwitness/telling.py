"""What tells of pools: the stages behind what watches, and when each of them speaks. Loaded `later`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from poolwitness.diagnose.registry import run_rules
from poolwitness.ledger import fork as forks
from poolwitness.model.findings import Finding
from poolwitness.model.records import Snapshot
from poolwitness.report.secrets import describe_error
from poolwitness.report.sinks import follow_in_child
from poolwitness.runtime import exit_hooks as exits
from poolwitness.runtime.dump_server import DumpServer
from poolwitness.runtime.lifecycle_events import LifecycleEvents
from poolwitness.runtime.sweep import SweepScheduler
from poolwitness.runtime.verdict import Verdict
from poolwitness.snapshot import shutdown as ending
from poolwitness.stages import Stages
from poolwitness.watching import Watching


class Telling:
    """One process's stages, put together.

    Args:
        watching: what there has been from the start.
        at_exit: to be called by the hooks of the process's end, with their name.
    """

    def __init__(self, watching: Watching, at_exit: Callable[[str], None]) -> None:
        self.config, self.ledger = watching.config, watching.ledger
        self.at_exit = at_exit
        self.stages = Stages(watching)
        parts = self.stages.parts
        self.asking = DumpServer(self.config, self.stages.inspector, self.stages.teller, self.take_in, parts["asked"])
        self.announcer = LifecycleEvents(self.stages, self.asking, at_exit)
        self.looking = SweepScheduler(self.stages, self.asking, self.take_in, at_exit)
        self.verdict = Verdict(self.stages, self.announcer, self.looking, self.take_in)

    def install(self) -> None:
        """Put in place what else there is to hear than pools, and tell what has failed so far."""
        stages, parts = self.stages, self.stages.parts
        if stages.blackbox is not None:
            with parts["blackbox"]:
                forks.watch(stages.blackbox.forked)
                self.ledger.listener = stages.blackbox
        with parts["ending"]:
            ending.when_main_thread_is_over(self.looking.main_thread_over)
        with parts["asked"]:
            self.asking.install()
        if stages.telemetry is not None:
            stages.telemetry.begin(partial(self.at_exit, "atexit"))
        for part in parts.values():
            if part.failure is not None:
                stages.tell_failure(part)

    def uninstall(self) -> None:
        """Put that back."""
        self.stages.inspector.activity.uninstall()
        ending.forget()
        exits.forget()
        self.looking.stop()
        self.asking.uninstall()
        if self.stages.blackbox is not None:
            self.stages.blackbox.discard()
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
        return run_rules(self.snapshot(), self.config)[0]

    def error_text(self, pool: object, error: BaseException) -> str:
        """An exception's text without secrets: see `describe_error`."""
        return describe_error(pool, error)

    def end(self) -> None:
        """Whatever became of the verdict, nothing more is said before the interpreter's end."""
        if self.stages.telemetry is not None:
            self.stages.telemetry.end()
