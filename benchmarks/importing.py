"""What the agent adds to ``import psycopg_pool``, compiled modules there, and to the making of the first pool."""

from __future__ import annotations

import subprocess

from benchmarks.contest import PROGRAMS
from benchmarks.environments import Environments
from benchmarks.results import Row, Share, at_most
from benchmarks.samples import differences, interval

IMPORT = Share(2, "ms")
FIRST_POOL_LIMIT = 50  # percent of `import psycopg_pool`
# A program with its arguments, and whether the agent is on.
_KINDS = {
    "off": (["import_pool.py"], False),
    "on": (["import_pool.py"], True),
    "their libraries": (["import_pool.py", "structlog", "psutil"], False),
    "pool off": (["first_pool.py"], False),
    "pool on": (["first_pool.py"], True),
}


def measure(environments: Environments, rounds: int = 40) -> list[Row]:
    """Import it in turn without and with the agent, and make a pool.

    Args:
        environments: the interpreters.
        rounds: how many imports of each.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in _KINDS}
    for number in range(rounds + 2):
        for name, (program, on) in _KINDS.items():
            answer = subprocess.run(
                [str(environments.installed), str(PROGRAMS / program[0]), *program[1:]],
                env=environments.environ("watch" if on else None),
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            if number >= 2:
                found[name].append((float(answer[0]), float(answer[1])))
    cpu = differences([cpu for cpu, _ in found["off"]], [cpu for cpu, _ in found["on"]])
    wall = differences([wall for _, wall in found["off"]], [wall for _, wall in found["on"]])
    libraries = differences([cpu for cpu, _ in found["off"]], [cpu for cpu, _ in found["their libraries"]])
    first = differences([cpu for cpu, _ in found["pool off"]], [cpu for cpu, _ in found["pool on"]])
    first_wall = differences([wall for _, wall in found["pool off"]], [wall for _, wall in found["pool on"]])
    base = interval([cpu for cpu, _ in found["off"]])
    of_import = first.scaled(100 / base.median)
    return [
        IMPORT.row("`import psycopg_pool`, on, CPU", cpu, base.median),
        Row("`import psycopg_pool`, on, wall clock", "", f"{wall.show('ms', 1)} more", None),
        Row("`import psycopg_pool, structlog, psutil`, off", "", f"{libraries.show('ms', 1)} more of CPU", None),
        Row(
            "the first pool, once",
            f"≤ {FIRST_POOL_LIMIT} % of `import psycopg_pool`",
            f"{first.show('ms', 1)} more of CPU: {of_import.show('%', 0)}; wall clock {first_wall.show('ms', 1)}",
            at_most(of_import, FIRST_POOL_LIMIT),
        ),
    ]
