"""``poolwitness schema`` and ``poolwitness lnav-format``: print the JSON Schema of the lines, or lnav's format."""

from __future__ import annotations

import argparse

from poolwitness.contract.json_schema import shipped
from poolwitness.contract.lnav import lnav_format


def run(args: argparse.Namespace) -> int:
    """Print the document."""
    print(lnav_format() if args.command == "lnav-format" else shipped(), end="")
    return 0
