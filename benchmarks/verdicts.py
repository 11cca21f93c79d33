"""How long the verdict on 1,000 open pools holds up the exit."""

from __future__ import annotations

import subprocess

from benchmarks.contest import PROGRAMS
from benchmarks.environments import Environments
from benchmarks.results import Row, at_most
from benchmarks.samples import interval

LIMIT_MS = 150.0


def measure(environments: Environments, rounds: int = 10) -> list[Row]:
    """Take the verdict of pools made by one line, told as one kind, and by 1,000 functions.

    Args:
        environments: the interpreters.
        rounds: how many programs of each kind.
    """
    rows = []
    environ = environments.environ("watch")
    for kind in ("async", "sync"):
        for lines, what in (("one", "made by one line"), ("many", "made by 1,000 functions")):
            found = []
            for _ in range(rounds):
                command = [str(environments.installed), str(PROGRAMS / "verdict_of_many.py"), kind, lines]
                answer = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.split()
                found.append((float(answer[0]), float(answer[1])))
            cpu = interval([cpu for cpu, _ in found])
            wall = interval([wall for _, wall in found])
            rows.append(
                Row(
                    f"verdict on 1,000 open {kind} pools {what}",
                    f"≤ {LIMIT_MS:.0f} ms",
                    f"{cpu.show('ms', 0)} of CPU; wall clock {wall.show('ms', 0)}",
                    at_most(cpu, LIMIT_MS),
                )
            )
    return rows
