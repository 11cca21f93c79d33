"""``poolwitness`` as a command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

Completed = subprocess.CompletedProcess[str]


def environ(**more: str) -> dict[str, str]:
    """The tests' environment without any setting of the agent's, and some variables more."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POOLWITNESS")}
    clean.pop("PYTHONPATH", None)
    return {**clean, **more}


def cli(*words: str, python: tuple[str, ...] = (sys.executable,), **more: str) -> Completed:
    """Run ``python -m poolwitness WORDS``."""
    return subprocess.run(
        [*python, "-m", "poolwitness", *words],
        env=environ(**more),
        capture_output=True,
        text=True,
        timeout=120,
    )


def check_words(*command: str) -> list[str]:
    """The command line that checks a command."""
    return [sys.executable, "-m", "poolwitness", "run", "--check", "--", *command]
