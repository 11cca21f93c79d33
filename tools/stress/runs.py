"""Start a run, and judge what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import mean

from tools.stress.load import Result

MODES = ("threads", "tasks")
ROOT = Path(__file__).resolve().parent.parent.parent


def run(mode: str, seconds: float, dsn: str, active: bool) -> Result:
    """One run in a process of its own.

    Args:
        mode: ``threads`` or ``tasks``.
        seconds: how long.
        dsn: the database.
        active: with the agent.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("POOLWITNESS", "PYTHON"))}
    if active:
        environ |= {"POOLWITNESS": "1", "POOLWITNESS_OUTPUT": "none", "POOLWITNESS_SWEEP_S": "0.5"}
    done = subprocess.run(
        [sys.executable, "-m", "tools.stress.load", mode, str(seconds), dsn],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        check=True,
        timeout=seconds + 100,
    )
    return Result(**json.loads(done.stdout))


def growth(samples: list[int]) -> float:
    """By how much the last third lies above the second one, on average; the first one is the start."""
    third = len(samples) // 3
    return mean(samples[2 * third :]) - mean(samples[third : 2 * third])
