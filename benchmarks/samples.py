"""Medians and their uncertainty, without assuming any distribution."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A median with the interval that holds the true one in 95 of 100 runs."""

    median: float
    low: float
    high: float

    def scaled(self, factor: float) -> Interval:
        """The same in another unit; *factor* is positive."""
        return Interval(self.median * factor, self.low * factor, self.high * factor)

    def show(self, unit: str, digits: int = 2) -> str:
        """``median unit (low to high)``."""
        return f"{self.median:.{digits}f} {unit} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def interval(values: Sequence[float]) -> Interval:
    """The median of *values* and its 95 % interval.

    The bounds are order statistics, as in the sign test
    (https://en.wikipedia.org/wiki/Sign_test): no outlier moves them far.
    """
    ordered = sorted(values)
    count = len(ordered)
    reach = 0.98 * math.sqrt(count)
    low = max(0, math.floor(count / 2 - reach))
    high = min(count - 1, math.ceil(count / 2 + reach))
    return Interval(statistics.median(ordered), ordered[low], ordered[high])


def differences(baseline: Sequence[float], variant: Sequence[float]) -> Interval:
    """How much more *variant* takes, pair by pair: two neighbours in time share the machine's mood."""
    return interval([after - before for before, after in zip(baseline, variant, strict=True)])
