"""The CPU time of one sweep."""

from __future__ import annotations

from benchmarks.contest import Contestant, interleave
from benchmarks.environments import Environments
from benchmarks.results import Row, at_most
from benchmarks.samples import interval

LIMIT_MS = 5.0


def measure(environments: Environments, conninfo: str, rounds: int = 60) -> list[Row]:
    """Sweep 50 pools with 500 connections out.

    Args:
        environments: the interpreters.
        conninfo: a server that accepts some 550 sessions.
        rounds: how many sweeps.
    """
    rows = []
    for what, held_s, limit in (
        ("a sweep of 50 pools and 500 checkouts", "3600", LIMIT_MS),
        ("a sweep while all 500 are suspected of being held too long", "0.01", None),
    ):
        # Its own sweeps must not come in between.
        environ = environments.environ("watch", {"POOLWITNESS_SWEEP_S": "3600", "POOLWITNESS_HELD_S": held_s})
        with Contestant(environments.installed, "sweep_many.py", (conninfo,), environ) as contestant:
            first_ms = contestant.turn()
            found = interval(interleave({"sweep": contestant}, rounds)["sweep"])
        rows.append(
            Row(
                what,
                "" if limit is None else f"≤ {limit:.0f} ms of CPU",
                f"{found.show('ms')}; the first one {first_ms:.1f} ms",
                None if limit is None else at_most(found, limit),
            )
        )
    return rows
