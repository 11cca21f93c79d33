"""The stages behind what watches, each made once, as everything that composes them shares them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from poolwitness.guards import Guard
from poolwitness.report import build
from poolwitness.report.pipeline import Pipeline
from poolwitness.runtime.checks import RuleChecks
from poolwitness.runtime.reporter import Reporter
from poolwitness.snapshot.take import record_pool

if TYPE_CHECKING:
    from poolwitness.blackbox.recorder import BlackBoxRecorder
    from poolwitness.otel.logs import OtelSink
    from poolwitness.otel.session import Telemetry
    from poolwitness.watching import Watching


class Stages:
    """What keeps, diagnoses and reports.

    Args:
        watching: what there has been from the start.
    """

    def __init__(self, watching: Watching) -> None:
        self.config = watching.config
        self.how = watching.how
        self.ledger = watching.ledger
        self.patches = watching.patches
        self.parts = watching.parts
        self.problems = watching.problems
        self.pipeline = Pipeline(watching.sinks)
        self.teller = Reporter(self.pipeline, self.parts["report"])
        self.inspector = RuleChecks(self.config, self.ledger, self.teller, self.parts)
        self.blackbox = self._new_blackbox()
        self.telemetry = self._new_telemetry()

    def tell_problem(self, problem: str) -> None:
        """A setting cannot be used."""
        self.teller.emit("poolwitness.agent.setting_invalid", {"level": "warning", "message": problem})

    def tell_failure(self, part: Guard) -> None:
        """A part of the agent has failed and is off now."""
        if self.blackbox is not None and part.name in ("blackbox", "checkouts", "pools"):
            self.blackbox.give_up()
        self.teller.emit("poolwitness.agent.part_disabled", build.part_disabled(part.name, part.failure))

    def _new_blackbox(self) -> BlackBoxRecorder | None:
        if not self.config.blackbox:
            return None
        part = self.parts["blackbox"]
        with part:
            from poolwitness.blackbox.recorder import BlackBoxRecorder

            return BlackBoxRecorder(
                self.config, self.ledger, record_pool, self.inspector.versions, self.tell_problem, part
            )
        return None

    def _new_telemetry(self) -> Telemetry | None:
        for sink in self.pipeline.sinks:
            if sink.name == "otel":
                from poolwitness.otel.session import Telemetry

                return Telemetry(self.ledger, cast("OtelSink", sink), self.parts["telemetry"])
        return None
