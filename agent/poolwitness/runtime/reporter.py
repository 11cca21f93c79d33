"""Report each fault once: count it, limit what would flood the log, resolve a suspicion that passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.observers import Observer
from poolwitness.model.findings import Finding
from poolwitness.report import build as events
from poolwitness.report.pipeline import Pipeline
from poolwitness.report.rate_limit import RateLimit

MOST_REPORTED = 50_000
MOST_HELD_BACK = 2000
MOST_HELD_BACK_LINES = 100

Row = tuple[str, dict[str, Any]]


class Reporter(Observer):
    """What was reported in this process, and the way to report more.

    Args:
        pipeline: where events go.
        guard: contains what writing raises.
    """

    def __init__(self, pipeline: Pipeline, guard: Guard) -> None:
        self.pipeline = pipeline
        self.guard = guard
        self._reset()

    def _reset(self) -> None:
        self.limit = RateLimit()
        self.counts: Counter[str] = Counter()
        self.resolved = 0
        self.ignored: set[tuple[object, ...]] = set()
        self._reported: dict[tuple[object, ...], object] = {}
        self._held_back: dict[str, Finding] = {}

    def forked(self) -> None:
        self.pipeline.after_fork()
        self._reset()

    def component_failed(self, guard: Guard) -> None:
        self.emit("poolwitness.agent.part_disabled", events.part_disabled(guard.name, guard.failure))

    def emit(self, name: str, event: dict[str, Any]) -> None:
        """Write one event; if that fails, one last line says that there will be no more."""
        if not self.guard.enabled:
            return
        with self.guard:
            self.pipeline.emit(name, event)
        if self.guard.failure is not None:
            with Guard("last line"):
                self.pipeline.write_plain(
                    "poolwitness.agent.part_disabled", events.part_disabled(self.guard.name, self.guard.failure)
                )

    def emit_setting_invalid(self, problem: str) -> None:
        """Report in one sentence that a setting cannot be used."""
        self.emit("poolwitness.agent.setting_invalid", {"level": "warning", "message": problem})

    def emit_limited(self, key: str, name: str, make: Callable[[], dict[str, Any]]) -> bool:
        """Write one of many events that are alike, if the rate limit allows it.

        Args:
            key: what they have in common.
            name: the event's name.
            make: builds the event; not called if it is held back.

        Returns:
            Whether it was written.
        """
        if not self.limit.allows(key):
            return False
        event = make()
        owed = self.limit.owed(key)
        if owed:
            event["poolwitness.held_back"] = owed
        self.emit(name, event)
        return True

    def report(self, finding: Finding, more: dict[str, Any] | None = None, rows: Iterable[Row] = ()) -> bool:
        """Report a finding unless it was reported before; False if it was.

        Args:
            finding: what a rule found.
            more: further fields of the event.
            rows: events that belong to it and are worth nothing without it.
        """
        token = object()
        if len(self._reported) > MOST_REPORTED or self._reported.setdefault(finding.key, token) is not token:
            return False
        self.counts[finding.rule.code] += 1
        fingerprint = finding.fingerprint
        if self.emit_limited(fingerprint, "poolwitness.finding", lambda: events.finding(finding) | (more or {})):
            for name, event in rows:
                self.emit(name, event)
        elif len(self._held_back) < MOST_HELD_BACK:
            self._held_back.setdefault(fingerprint, finding)
        return True

    def report_held_back(self) -> None:
        """Report for each fingerprint how many of its findings were held back and are in no line yet: most first."""
        owed = [(self.limit.owed(key), finding) for key, finding in self._held_back.items()]
        self._held_back.clear()
        owed.sort(key=lambda each: -each[0])
        for count, finding in owed[:MOST_HELD_BACK_LINES]:
            if count:
                self.emit("poolwitness.finding.held_back", events.held_back(finding, count))

    def resolve(self, finding: Finding, held_s: float) -> None:
        """A suspicion has passed after *held_s* seconds: it no longer counts."""
        self.counts[finding.rule.code] -= 1
        if self.counts[finding.rule.code] <= 0:
            del self.counts[finding.rule.code]
        self.resolved += 1
        self._reported.pop(finding.key, None)
        self.emit_limited(
            "resolved:" + finding.fingerprint, "poolwitness.finding.resolved", lambda: events.resolved(finding, held_s)
        )
