"""What a benchmark says: one row a budget, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.samples import Interval


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        what: what is measured.
        budget: what it may cost, in words.
        measured: what it costs, in words.
        holds: None where the noise hides the answer, or where nothing was promised.
    """

    what: str
    budget: str
    measured: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """The last column."""
        if not self.budget:
            return ""
        return {True: "yes", False: "**no**", None: "too noisy to say"}[self.holds]


def at_most(found: Interval, limit: float) -> bool | None:
    """Whether a budget holds: None when the limit lies inside the interval."""
    if found.high <= limit:
        return True
    return False if found.low > limit else None


@dataclass(frozen=True)
class Share:
    """A limit on what the agent adds to a baseline that is measured in the same run.

    Args:
        percent: of the baseline.
        unit: of both.
    """

    percent: float
    unit: str

    def row(self, what: str, more: Interval, baseline: float, digits: int = 2) -> Row:
        """The row of a measurement: what it adds, and its share of the baseline."""
        share = more.scaled(100 / baseline)
        measured = f"{more.show(self.unit, digits)} more than {baseline:.{digits}f} {self.unit}: {share.show('%', 1)}"
        return Row(what, f"≤ {self.percent:g} % more", measured, at_most(share, self.percent))


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| what | budget | measured | holds? |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.what} | {row.budget or 'none'} | {row.measured} | {row.verdict} |" for row in rows]
    return "\n".join(lines) + "\n"
