"""Query the store and build the report, from which all renderings are made."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from poolwitness.logreport import queries
from poolwitness.logreport.reading.sources import ReadStats
from poolwitness.logreport.store import Store

MICROSECONDS = 1_000_000
DAY = 86_400 * MICROSECONDS
WEEK = 7 * DAY
WORSE = ("new", "back", "worse")
MAX_LINE_NUMBER = 2**31 - 1  # readers of the formats accept no larger number
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals over all events; times in microseconds since 1970, in UTC."""

    events: int
    processes: int
    first_at: int
    last_at: int
    pools_opened: int
    pools_closed: int
    findings: int
    faults: int
    processes_with_findings: int
    verdicts: int
    suppressed: int
    lines_lost: int


@dataclass(frozen=True, slots=True)
class Fault:
    """All findings of one fingerprint; ``…_now`` is the last week, ``…_before`` the week before it.

    ``line`` is that of the latest finding; ``places`` counts the different lines of all its findings.
    """

    fingerprint: str
    rule: str
    rule_name: str
    confidence: str
    level: str
    file: str
    line: int
    function: str
    places: int
    findings: int
    processes: int
    first_at: int
    last_at: int
    findings_now: int
    findings_before: int
    processes_now: int
    processes_before: int
    ran_now: int
    ran_before: int
    came_back: int
    opened_now: int
    worst_s: float
    leaks: bool
    trend: str
    message: str
    fix: str
    stack: str
    pool: str
    pool_class: str
    db: str

    @property
    def resolved(self) -> bool:
        """Whether it is gone, or each of its findings was resolved."""
        return self.trend == "gone" or self.came_back >= self.findings > 0


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is rendered."""

    stats: ReadStats
    totals: Totals
    faults: tuple[Fault, ...]
    # For each step the maximum numbers of ``pools``, ``connections`` and ``threads`` during it, and its ``findings``.
    timeline: list[dict[str, int]]

    @property
    def unresolved(self) -> list[Fault]:
        """The faults that are not resolved: first those that leak, and among equals those with the most findings."""
        return sorted(_by_findings(fault for fault in self.faults if not fault.resolved), key=lambda one: not one.leaks)

    @property
    def leaks(self) -> list[Fault]:
        """The unresolved faults that leak, the worst first."""
        return [fault for fault in self.unresolved if fault.leaks]

    @property
    def others(self) -> list[Fault]:
        """The other unresolved faults."""
        return [fault for fault in self.unresolved if not fault.leaks]

    @property
    def worse(self) -> list[Fault]:
        """The unresolved faults that are new since last week, came back, or got worse per process that ran."""
        found = [fault for fault in self.unresolved if fault.trend in WORSE]
        return sorted(found, key=lambda fault: (-fault.findings_now, fault.fingerprint))

    @property
    def resolved(self) -> list[Fault]:
        """Faults not seen for a week though their pools were opened, and suspicions that were resolved."""
        return _by_findings(fault for fault in self.faults if fault.resolved)


def build_report(store: Store, stats: ReadStats) -> Report:
    """Run all queries over the events that were read."""
    create_views(store)
    totals = Totals(**{name: int(value or 0) for name, value in store.one(queries.sql("totals")).items()})
    faults = tuple(_fault(row) for row in store.rows(queries.sql("all_faults")))
    stats = replace(stats, troubles=[_printable(trouble).replace("\n", "�") for trouble in stats.troubles])
    return Report(stats, totals, faults, _timeline(store) if totals.events else [])


def create_views(store: Store) -> None:
    """Create the views, with the week that ends at the newest event; events more than a day ahead are ignored."""
    latest = int(time.time() * MICROSECONDS) + DAY
    newest = store.one(f"SELECT max(moment) AS at FROM events WHERE moment <= {latest}")["at"] or 0
    store.connection.execute(
        f"CREATE OR REPLACE VIEW time_window AS SELECT {newest} AS until_at, {newest - WEEK} AS now_from, "
        f"{newest - 2 * WEEK} AS before_from"
    )
    store.connection.execute(queries.sql("faults").replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))


def _by_findings(faults: Iterable[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: (-fault.findings, -fault.processes, fault.fingerprint))


def _fault(row: dict[str, Any]) -> Fault:
    values = {**row, **{name: _printable(value) for name, value in row.items() if isinstance(value, str)}}
    values["leaks"] = bool(values["leaks"])
    values["line"] = min(max(1, values["line"]), MAX_LINE_NUMBER)
    return Fault(**values)


def _timeline(store: Store) -> list[dict[str, int]]:
    changes = {row["step"]: row for row in store.rows(queries.sql("timeline"))}
    found = {row["step"]: int(row["findings"]) for row in store.rows(queries.sql("finding_counts"))}
    steps = []
    current = {"pools": 0, "connections": 0, "threads": 0}
    for number in range(queries.STEPS):
        peak = dict(current)
        if row := changes.get(number):
            peak = {name: max(peak[name], int(row[name])) for name in current}
            current = {name: int(row[f"{name}_after"]) for name in current}
        steps.append({**peak, "findings": found.get(number, 0)})
    return steps


def _printable(text: str) -> str:
    """A text from a log without characters that control a terminal or reverse the direction; line feeds stay."""
    return _UNPRINTABLE.sub("�", text)
