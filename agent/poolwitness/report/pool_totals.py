"""Adds up the figures of all pools of a process, for the verdict."""

from __future__ import annotations

from collections import Counter
from typing import Any

from poolwitness.model.records import PoolRecord

# Values of one moment cannot be added up.
_MEASURES = frozenset({"pool_min", "pool_max", "pool_size", "pool_available", "requests_waiting"})


def pool_figures(pool: PoolRecord) -> dict[str, Any]:
    """What one pool counted, and what was seen of it."""
    figures: dict[str, Any] = {f"poolwitness.stats.{key}": value for key, value in pool.stats.items()}
    figures["poolwitness.peak_in_use"] = pool.usage.peak_in_use
    figures["poolwitness.longest_wait_s"] = round(pool.usage.longest_wait_s, 6)
    figures["poolwitness.longest_held_s"] = round(pool.usage.longest_held_s, 6)
    if pool.usage.longest_held is not None and pool.usage.longest_held.holding is not None:
        figures["poolwitness.longest_held_at"] = pool.usage.longest_held.holding.place
    return figures


class PoolTotals:
    """Adds up pools, each once."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.peak_in_use = 0
        self.longest_wait_s = 0.0
        self.longest_held_s = 0.0
        self.longest_held_at = ""

    def add(self, pool: PoolRecord) -> None:
        """Take in a pool that is closed, gone, or at the verdict."""
        self.counted.update({key: value for key, value in pool.stats.items() if key not in _MEASURES})
        self.peak_in_use = max(self.peak_in_use, pool.usage.peak_in_use)
        self.longest_wait_s = max(self.longest_wait_s, pool.usage.longest_wait_s)
        held = [
            (pool.usage.longest_held_s, pool.usage.longest_held),
            *((out.held_s, out.taken) for out in pool.checkouts),
        ]
        for held_s, taken in held:
            if held_s > self.longest_held_s:
                self.longest_held_s = held_s
                self.longest_held_at = taken.holding.place if taken is not None and taken.holding is not None else ""

    def fields(self) -> dict[str, Any]:
        """Under the names of the verdict."""
        fields: dict[str, Any] = {f"poolwitness.stats.{key}": value for key, value in sorted(self.counted.items())}
        fields["poolwitness.peak_in_use"] = self.peak_in_use
        fields["poolwitness.longest_wait_s"] = round(self.longest_wait_s, 6)
        fields["poolwitness.longest_held_s"] = round(self.longest_held_s, 6)
        if self.longest_held_at:
            fields["poolwitness.longest_held_at"] = self.longest_held_at
        return fields
