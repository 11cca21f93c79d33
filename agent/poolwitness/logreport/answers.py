"""The answers, as values that every rendering is made of."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from typing import Any

from poolwitness.logreport import queries as questions
from poolwitness.logreport.printable import printable
from poolwitness.logreport.store import Store
from poolwitness.logreport.tally import Tally

MICROSECONDS = 1_000_000
DAY = 86_400 * MICROSECONDS
WEEK = 7 * DAY
WORSE = ("new", "back", "worse")
LAST_LINE = 2**31 - 1  # of a file; what is beyond it no reader of a report takes for a number


@dataclass(frozen=True, slots=True)
class Totals:
    """What all events add up to; moments in microseconds since 1970, in UTC."""

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
    """All findings of one fingerprint; ``…_now`` is the last week, ``…_before`` the one before it.

    ``line`` is that of the latest finding; ``places`` counts all lines of that function which it had.
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
        """Whether it is gone, or each time came back by itself."""
        return self.trend == "gone" or self.came_back >= self.findings > 0


@dataclass(frozen=True, slots=True)
class Step:
    """One of the steps of the timeline: the most of each at any moment of it, and the findings."""

    pools: int
    connections: int
    threads: int
    findings: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is shown."""

    tally: Tally
    totals: Totals
    faults: tuple[Fault, ...]
    timeline: tuple[Step, ...]

    @property
    def leaks(self) -> list[Fault]:
        """The lines that leak, the worst first."""
        return _most([fault for fault in self.faults if fault.leaks and not fault.resolved])

    @property
    def others(self) -> list[Fault]:
        """The other faults that are not resolved."""
        return _most([fault for fault in self.faults if not fault.leaks and not fault.resolved])

    @property
    def worse(self) -> list[Fault]:
        """New since last week, seen again, or more for each process that ran."""
        found = [fault for fault in self.faults if fault.trend in WORSE and not fault.resolved]
        return sorted(found, key=lambda fault: (-fault.findings_now, fault.fingerprint))

    @property
    def resolved(self) -> list[Fault]:
        """Not seen for a week though their pools were opened, and suspicions that came back."""
        return _most([fault for fault in self.faults if fault.resolved])


def answer(store: Store, tally: Tally) -> Report:
    """Ask all questions.

    Args:
        store: what was read.
        tally: how that went.
    """
    compare(store)
    totals = Totals(**{name: int(value or 0) for name, value in store.one(questions.text("totals")).items()})
    faults = tuple(_fault(row) for row in store.rows(questions.text("all")))
    return Report(tally, totals, faults, _timeline(store) if totals.events else ())


def compare(store: Store) -> None:
    """Make the views, with the week that ends at the newest event; a clock that is ahead by days does not count."""
    for view in questions.VIEWS:
        store.connection.execute(questions.text(view).replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    sane = int(time.time() * MICROSECONDS) + DAY
    newest = store.one(f"SELECT max(moment) AS at FROM events WHERE moment <= {sane}")["at"] or 0
    store.connection.execute(
        f"CREATE OR REPLACE VIEW asked AS SELECT {newest} AS until_at, {newest - WEEK} AS now_from, "
        f"{newest - 2 * WEEK} AS before_from"
    )


def _most(faults: list[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: (-fault.findings, -fault.processes, fault.fingerprint))


def _fault(row: dict[str, Any]) -> Fault:
    values: dict[str, Any] = {}
    for field in fields(Fault):
        value = row[field.name]
        values[field.name] = printable(value) if isinstance(value, str) else value
    values["leaks"] = bool(values["leaks"])
    values["line"] = min(max(1, values["line"]), LAST_LINE)
    return Fault(**values)


def _timeline(store: Store) -> tuple[Step, ...]:
    changes = {row["step"]: row for row in store.rows(questions.text("timeline"))}
    found = {row["step"]: int(row["findings"]) for row in store.rows(questions.text("moments"))}
    steps = []
    standing = {"pools": 0, "connections": 0, "threads": 0}
    for number in range(questions.STEPS):
        peak = dict(standing)
        if row := changes.get(number):
            peak = {name: max(peak[name], int(row[name])) for name in standing}
            standing = {name: int(row[f"{name}_after"]) for name in standing}
        steps.append(Step(**peak, findings=found.get(number, 0)))
    return tuple(steps)
