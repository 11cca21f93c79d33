"""Tell each fault once: count it, hold back what would flood, take back a suspicion that passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from poolwitness.guards import Guard
from poolwitness.model.findings import Finding
from poolwitness.report import build
from poolwitness.report.pipeline import Pipeline
from poolwitness.report.rate_limit import RateLimit

MOST_TOLD = 50_000
MOST_STORIES = 2000
MOST_HELD_BACK_TOLD = 100

Row = tuple[str, dict[str, Any]]


class Reporter:
    """What has been told in this process, and the way to tell more.

    Args:
        pipeline: where events go.
        part: the containment of everything that is written.
    """

    def __init__(self, pipeline: Pipeline, part: Guard) -> None:
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
        self._stories: dict[str, Finding] = {}

    def emit(self, name: str, event: dict[str, Any]) -> None:
        """Write one event; when that fails, say with the last line that there will be no more."""
        if not self.part.enabled:
            return
        with self.part:
            self.pipeline.emit(name, event)
        if self.part.failure is not None:  # and not merely switched off meanwhile
            with Guard("last words"):
                self.pipeline.write_plain(
                    "poolwitness.agent.part_disabled", build.part_disabled(self.part.name, self.part.failure)
                )

    def emit_one_of(self, key: str, name: str, make: Callable[[], dict[str, Any]]) -> bool:
        """Write one of many events that are alike, if there is room for it.

        Args:
            key: what they have in common.
            name: the event's name.
            make: makes it; not called where it is held back.

        Returns:
            Whether there was room.
        """
        if not self.limit.allows(key):
            return False
        event = make()
        owed = self.limit.owed(key)
        if owed:
            event["poolwitness.held_back"] = owed
        self.emit(name, event)
        return True

    def was_told(self, key: tuple[object, ...]) -> bool:
        """Whether a fault has been told."""
        return key in self._told

    def tell(self, finding: Finding, more: dict[str, Any] | None = None, rows: Iterable[Row] = ()) -> bool:
        """Tell a finding, unless it was told; False when it was.

        Args:
            finding: what a rule said.
            more: further fields of the event.
            rows: events that belong to it and are worth nothing without it.
        """
        token = object()
        if len(self._told) > MOST_TOLD or self._told.setdefault(finding.key, token) is not token:
            return False
        self.counts[finding.rule.code] += 1
        fingerprint = finding.fingerprint
        if self.emit_one_of(fingerprint, "poolwitness.finding", lambda: build.finding(finding) | (more or {})):
            for name, event in rows:
                self.emit(name, event)
        elif len(self._stories) < MOST_STORIES:
            self._stories.setdefault(fingerprint, finding)
        return True

    def tell_held_back(self) -> None:
        """Say of each fingerprint how many of its findings were held back and not yet accounted for: most first."""
        owed = [(self.limit.owed(key), finding) for key, finding in self._stories.items()]
        self._stories.clear()
        owed.sort(key=lambda each: -each[0])
        for count, finding in owed[:MOST_HELD_BACK_TOLD]:
            if count:
                self.emit("poolwitness.finding.held_back", build.held_back(finding, count))

    def take_back(self, finding: Finding, held_s: float) -> None:
        """A suspicion came back, after so many seconds: it no longer counts."""
        self.counts[finding.rule.code] -= 1
        if self.counts[finding.rule.code] <= 0:
            del self.counts[finding.rule.code]
        self.resolved += 1
        self._told.pop(finding.key, None)
        self.emit_one_of(
            "resolved:" + finding.fingerprint, "poolwitness.finding.resolved", lambda: build.resolved(finding, held_s)
        )
