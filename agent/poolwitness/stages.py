"""The stages of one process's agent, each made once, as everything that composes them shares them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from poolwitness.config import Config
from poolwitness.inspector import Inspector
from poolwitness.ledger import Ledger
from poolwitness.observe.patches import Patches
from poolwitness.observe.recorder import record_pool
from poolwitness.report.outputs import open_sinks
from poolwitness.report.pipeline import Pipeline
from poolwitness.safety import Part
from poolwitness.teller import Teller

if TYPE_CHECKING:
    from poolwitness.blackbox.box import BlackBox
    from poolwitness.report.otel_logs import OtelSink
    from poolwitness.telemetry import Telemetry

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


class Stages:
    """What observes, keeps, diagnoses and reports.

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
        self.blackbox = self._new_blackbox()
        self.telemetry = self._new_telemetry()

    def tell_problem(self, problem: str) -> None:
        """A setting cannot be used."""
        self.teller.emit("poolwitness.agent.setting_invalid", {"level": "warning", "message": problem})

    def _new_blackbox(self) -> BlackBox | None:
        if not self.config.blackbox:
            return None
        part = self.parts["blackbox"]
        with part:
            from poolwitness.blackbox.box import BlackBox

            return BlackBox(self.config, self.ledger, record_pool, self.inspector.versions, self.tell_problem, part)
        return None

    def _new_telemetry(self) -> Telemetry | None:
        for sink in self.pipeline.sinks:
            if sink.name == "otel":
                from poolwitness.telemetry import Telemetry

                return Telemetry(self.ledger, cast("OtelSink", sink), self.parts["telemetry"])
        return None
