"""``poolwitness schema``: the contract of the lines, for validators and for people who set up a log store."""

from __future__ import annotations

import argparse

from poolwitness.contract import json_schema as document


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(args: argparse.Namespace) -> int:
    """Print the JSON Schema."""
    print(document.shipped(), end="")
    return 0
