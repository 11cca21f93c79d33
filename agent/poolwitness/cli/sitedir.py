"""``poolwitness sitedir``: print the directory whose ``sitecustomize.py`` starts the agent."""

from __future__ import annotations

import argparse
from pathlib import Path

from poolwitness.cli.output import print_message


def run(args: argparse.Namespace) -> int:
    """Print the directory and nothing else, so that a shell can use it in ``$(…)``."""
    directory = path()
    print(directory)
    if not (directory / "sitecustomize.py").is_file():
        print_message(f"{directory} has no sitecustomize.py; install poolwitness again.")
        return 1
    return 0


def path() -> Path:
    """The absolute path of the directory."""
    return Path(__file__).resolve().parent.parent / "site"
