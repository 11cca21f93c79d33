"""``poolwitness lnav-format``: the format file with which lnav reads the agent's lines."""

from __future__ import annotations

import argparse

from poolwitness.contract.lnav import lnav_format


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(args: argparse.Namespace) -> int:
    """Print the file."""
    print(lnav_format(), end="")
    return 0
