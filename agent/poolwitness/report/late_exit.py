"""PW003's lines, rendered by the verdict for a finalizer to write."""

from __future__ import annotations

from collections.abc import Callable

from poolwitness.diagnose.findings import Finding
from poolwitness.diagnose.lifecycle import exit_delayed
from poolwitness.records import PoolRecord
from poolwitness.report import events, late
from poolwitness.report.pipeline import Pipeline
from poolwitness.report.redact import clean
from poolwitness.report.sinks import FdSink, stderr_sink


class LateExit:
    """Makes the notices of a process.

    Args:
        pipeline: its envelope and its descriptors; where it has none, stderr is used, since neither logging nor
            structlog can be called that late.
        python: the interpreter's version.
    """

    def __init__(self, pipeline: Pipeline, python: tuple[int, int, int]) -> None:
        self.pipeline = pipeline
        self.python = python
        self.totals = late.LateTotals()
        self.sinks = pipeline.fd_sinks()
        if not self.sinks and pipeline.sinks:
            from poolwitness.report.lines import render_json

            fallback = stderr_sink(lambda terminal: render_json)
            self.sinks = [fallback] if fallback is not None else []

    def finding(self, pool: PoolRecord) -> Finding:
        """PW003 of a pool, its measures still open."""
        return exit_delayed(pool, self.python, late.DELAY, "")

    def notice(self, pool: PoolRecord) -> Callable[[float, str | None], None]:
        """What the pool's finalizer calls."""
        raised = exit_delayed(pool, self.python, late.DELAY, late.KIND)
        return late.notice(
            self._templates(self.finding(pool), False), self._templates(raised, True), self.totals, self.pipeline.seq
        )

    def _templates(self, finding: Finding, raised: bool) -> list[late.Template]:
        event = events.finding(finding)
        event = self.pipeline.envelope("poolwitness.finding", event, seq=0)
        event["timestamp"] = late.TIME
        event["poolwitness.seq"] = late.SEQ_VALUE.strip('"')
        event["poolwitness.exit_delay_s"] = late.DELAY_VALUE.strip('"')
        event["poolwitness.exit_delay_total_s"] = late.TOTAL_VALUE.strip('"')
        if raised:
            event["exception.type"] = late.KIND
        cleaned = clean(event)
        return [(sink, self._render(sink, cleaned)) for sink in self.sinks]

    @staticmethod
    def _render(sink: FdSink, event: dict[str, object]) -> bytes:
        return sink.render(event)
