"""Tell each fault once: count it, hold back what would flood, take back a suspicion that passed."""

from __future__ import annotations

from collections import Counter
from typing import Any

from poolwitness.diagnose.findings import Finding
from poolwitness.report import events
from poolwitness.report.limits import RateLimit
from poolwitness.report.pipeline import Pipeline
from poolwitness.safety import Part

MOST_TOLD = 50_000


class Teller:
    """What has been told in this process, and the way to tell more.

    Args:
        pipeline: where events go.
        part: the containment of everything that is written.
    """

    def __init__(self, pipeline: Pipeline, part: Part) -> None:
        self.pipeline = pipeline
        self.part = part
        self.forget()

    def forget(self) -> None:
        """Start afresh, as a forked child does."""
        self.limit = RateLimit()
        self.counts: Counter[str] = Counter()
        self.resolved = 0
        self.ignored: set[tuple[object, ...]] = set()
        self._told: dict[tuple[object, ...], object] = {}

    def emit(self, name: str, event: dict[str, Any]) -> None:
        """Write one event."""
        if self.part.enabled:
            with self.part:
                self.pipeline.emit(name, event)

    def was_told(self, key: tuple[object, ...]) -> bool:
        """Whether a fault has been told."""
        return key in self._told

    def tell(self, finding: Finding, more: dict[str, Any] | None = None) -> bool:
        """Tell a finding, unless it was told; False when it was.

        Args:
            finding: what a rule said.
            more: further fields of the event.
        """
        token = object()
        if len(self._told) > MOST_TOLD or self._told.setdefault(finding.key, token) is not token:
            return False
        self.counts[finding.rule.code] += 1
        if self.limit.allows(finding.fingerprint):
            event = events.finding(finding)
            event.update(more or {})
            self.emit("poolwitness.finding", event)
        return True

    def take_back(self, finding: Finding, held_s: float) -> None:
        """A suspicion came back, after so many seconds: it no longer counts."""
        self.counts[finding.rule.code] -= 1
        if self.counts[finding.rule.code] <= 0:
            del self.counts[finding.rule.code]
        self.resolved += 1
        self._told.pop(finding.key, None)
        if self.limit.allows("resolved:" + finding.fingerprint):
            self.emit("poolwitness.finding.resolved", events.resolved(finding, held_s))
