"""What the agent keeps: bytes a live pool, a live checkout, and a pool that is gone."""

from __future__ import annotations

from benchmarks.contest import Contestant
from benchmarks.environments import Environments
from benchmarks.results import Row

POOL_LIMIT_B = 4096
CHECKOUT_LIMIT_B = 500
# Less than the smallest object of Python's: nothing is kept for each.
GROWTH_LIMIT_B = 16


def measure(environments: Environments, conninfo: str) -> list[Row]:
    """Let the same program count its memory without and with the agent; the difference is the agent's.

    Args:
        environments: the interpreters.
        conninfo: a server.
    """
    pool = _difference(environments, conninfo, "pool")
    checkout = {level: _difference(environments, conninfo, "checkout", level) for level in ("watch", "trace")}
    new = _difference(environments, conninfo, "new")
    again = _difference(environments, conninfo, "again")
    closed = _difference(environments, conninfo, "closed")
    dropped = _difference(environments, conninfo, "dropped")
    return [
        Row("memory, a live pool", "≤ 4 KB", f"{pool[0]:.0f} B", pool[0] <= POOL_LIMIT_B),
        Row(
            "memory, a live checkout, the first of its connection",
            f"≤ {CHECKOUT_LIMIT_B} B",
            f"{new[0]:.0f} B",
            new[0] <= CHECKOUT_LIMIT_B,
        ),
        Row(
            "memory, a live checkout, the first of its connection and of its thread",
            "",
            f"{checkout['watch'][0]:.0f} B (`trace`: {checkout['trace'][0]:.0f} B)",
            None,
        ),
        Row("memory, a live checkout, the first of neither", "", f"{again[0]:.0f} B", None),
        Row(
            "memory, 5,000 pools opened and closed",
            "nothing that grows",
            f"{closed[0]:.1f} B a pool; the process grew by {closed[2]:.0f} KB, {closed[1]:.0f} KB without",
            closed[0] <= GROWTH_LIMIT_B,
        ),
        Row("memory, 1,000 pools dropped open, each a finding", "", f"{dropped[0]:.0f} B a pool", None),
    ]


def _difference(
    environments: Environments, conninfo: str, order: str, level: str = "watch"
) -> tuple[float, float, float]:
    """Bytes more with the agent, and the growth of the resident set in KB without and with it."""
    found = []
    for tried in (None, level):
        environ = environments.environ(tried)
        with Contestant(environments.installed, "memory_of.py", (conninfo,), environ) as contestant:
            before_kb = contestant.turn("rss")
            answer = contestant.turn(order)
            found.append((answer, contestant.turn("rss") - before_kb))
    return found[1][0] - found[0][0], found[0][1], found[1][1]
