"""Adds up the figures of all pools of a process, for the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from poolwitness.model.records import PoolRecord, Stack

# Values of one moment cannot be added up.
_MEASURES = frozenset({"pool_min", "pool_max", "pool_size", "pool_available", "requests_waiting"})


def pool_figures(pool: PoolRecord) -> dict[str, Any]:
    """What one pool counted, and what was seen of it."""
    usage = pool.usage
    return _fields(
        pool.stats, usage.peak_in_use, usage.longest_wait_s, usage.longest_held_s, _place(usage.longest_held)
    )


def _fields(
    stats: Mapping[str, int], peak_in_use: int, longest_wait_s: float, longest_held_s: float, longest_held_at: str
) -> dict[str, Any]:
    return {
        **{f"poolwitness.stats.{key}": value for key, value in sorted(stats.items())},
        "poolwitness.peak_in_use": peak_in_use,
        "poolwitness.longest_wait_s": round(longest_wait_s, 6),
        "poolwitness.longest_held_s": round(longest_held_s, 6),
        **({"poolwitness.longest_held_at": longest_held_at} if longest_held_at else {}),
    }


def _place(taken: Stack | None) -> str:
    return taken.holding.place if taken is not None and taken.holding is not None else ""


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
        held = [(pool.usage.longest_held_s, pool.usage.longest_held)]
        held += [(checkout.held_s, checkout.taken) for checkout in pool.checkouts]
        for held_s, taken in held:
            if held_s > self.longest_held_s:
                self.longest_held_s, self.longest_held_at = held_s, _place(taken)

    def fields(self) -> dict[str, Any]:
        """Under the names of the verdict."""
        return _fields(self.counted, self.peak_in_use, self.longest_wait_s, self.longest_held_s, self.longest_held_at)
