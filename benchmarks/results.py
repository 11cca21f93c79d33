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
class Budget:
    """A limit that was set beside a baseline on some machine: it holds in proportion to the baseline measured here.

    Args:
        limit: what it may take more, in *unit*.
        beside: what the baseline took where the limit was set.
        unit: of both.
    """

    limit: float
    beside: float
    unit: str

    @property
    def text(self) -> str:
        """The budget in words."""
        share = 100 * self.limit / self.beside
        return f"≤ {self.limit:.0f} {self.unit} more where it takes {self.beside:g}: {share:.0f} %"

    def show(self, more: Interval, baseline: float, digits: int = 2) -> str:
        """What was measured, and its share of the baseline."""
        share = more.scaled(100 / baseline)
        return f"{more.show(self.unit, digits)} more than {baseline:.{digits}f} {self.unit}: {share.show('%', 0)}"

    def holds(self, more: Interval, baseline: float) -> bool | None:
        """Whether the share is no larger than the limit's was; None where the noise hides the answer."""
        return at_most(more.scaled(1 / baseline), self.limit / self.beside)


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| what | budget | measured | holds? |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.what} | {row.budget or 'none'} | {row.measured} | {row.verdict} |" for row in rows]
    return "\n".join(lines) + "\n"
