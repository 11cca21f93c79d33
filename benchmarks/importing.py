"""What the agent adds to ``import psycopg_pool`` in a fresh interpreter whose compiled modules are there."""

from __future__ import annotations

import subprocess

from benchmarks.contest import PROGRAMS
from benchmarks.environments import Environments
from benchmarks.results import Row, at_most
from benchmarks.samples import differences, interval

LIMIT_MS = 25.0


def measure(environments: Environments, rounds: int = 40) -> list[Row]:
    """Import it in turn without and with the agent.

    Args:
        environments: the interpreters.
        rounds: how many imports of each.
    """
    found: dict[str, list[tuple[float, float]]] = {"off": [], "on": [], "their libraries": []}
    for number in range(rounds + 2):
        for name, times in found.items():
            more = ["structlog", "psutil"] if name == "their libraries" else []
            answer = subprocess.run(
                [str(environments.installed), str(PROGRAMS / "import_pool.py"), *more],
                env=environments.environ("watch" if name == "on" else None),
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            if number >= 2:
                times.append((float(answer[0]), float(answer[1])))
    cpu = differences([cpu for cpu, _ in found["off"]], [cpu for cpu, _ in found["on"]])
    wall = differences([wall for _, wall in found["off"]], [wall for _, wall in found["on"]])
    libraries = differences([cpu for cpu, _ in found["off"]], [cpu for cpu, _ in found["their libraries"]])
    base = interval([cpu for cpu, _ in found["off"]])
    return [
        Row(
            "`import psycopg_pool`, on",
            f"≤ {LIMIT_MS:.0f} ms more, structlog and psutil included",
            f"{cpu.show('ms', 1)} more than {base.median:.0f} ms of CPU; wall clock {wall.show('ms', 1)}",
            at_most(cpu, LIMIT_MS),
        ),
        Row("`import psycopg_pool, structlog, psutil`, off", "", f"{libraries.show('ms', 1)} more of CPU", None),
    ]
