"""What an interpreter's start costs: off, and on in a program that never imports psycopg_pool."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.environments import Environments
from benchmarks.results import Row, at_most
from benchmarks.samples import differences, interval

ON_LIMIT_MS = 1.5


def measure(environments: Environments, rounds: int = 300) -> list[Row]:
    """Start interpreters in turn and compare the CPU time that each took from its start to its end.

    CPU time, user and system, is what a start costs whatever else the machine does. Not distinguishable is what
    adds less than the median distance of two starts that have nothing to do with the agent.

    Args:
        environments: the interpreters.
        rounds: how many starts of each.
    """
    off, on = environments.environ(None), environments.environ("watch")
    contestants: dict[str, tuple[Path, Mapping[str, str]]] = {
        "bare": (environments.bare, off),
        "bare again": (environments.bare_again, off),
        "off": (environments.installed, off),
        "on": (environments.installed, on),
    }
    cpu: dict[str, list[float]] = {name: [] for name in contestants}
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 5):
        for name, (python, environ) in contestants.items():
            cpu_ms, wall_ms = _start(python, environ)
            if number >= 5:
                cpu[name].append(cpu_ms)
                wall[name].append(wall_ms)
    off_more = differences(cpu["bare"], cpu["off"])
    on_more = differences(cpu["bare"], cpu["on"])
    alike = interval([abs(one - other) for one, other in zip(cpu["bare"], cpu["bare again"], strict=True)])
    return [
        Row(
            "interpreter start, installed and off",
            "not distinguishable from not installed",
            f"{off_more.show('ms')} more than {interval(cpu['bare']).median:.1f} ms of CPU, while two starts of"
            f" alike environments are {alike.median:.2f} ms apart;"
            f" wall clock {differences(wall['bare'], wall['off']).show('ms')}",
            at_most(off_more, alike.median),
        ),
        Row(
            "interpreter start, on, psycopg_pool never imported",
            f"≤ {ON_LIMIT_MS} ms more",
            f"{on_more.show('ms')}; wall clock {differences(wall['bare'], wall['on']).show('ms')}",
            at_most(on_more, ON_LIMIT_MS),
        ),
    ]


def _start(python: Path, environ: Mapping[str, str]) -> tuple[float, float]:
    started = time.perf_counter()
    pid = os.posix_spawn(python, [str(python), "-c", "pass"], environ)
    _, status, usage = os.wait4(pid, 0)
    wall_s = time.perf_counter() - started
    if status:
        raise RuntimeError(f"{python} ended with wait status {status}")
    return (usage.ru_utime + usage.ru_stime) * 1000, wall_s * 1000
