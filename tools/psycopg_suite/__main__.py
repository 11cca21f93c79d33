"""``python -m tools.psycopg_suite CHECKOUT_OF_PSYCOPG``: exit status 1 where the agent makes a difference."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

from tools.psycopg_suite.compare import compare
from tools.psycopg_suite.show import counted, show
from tools.psycopg_suite.suite import Suite
from tools.psycopg_suite.tcp_server import tcp_postgres


def main() -> int:
    """Run the suite without the agent, then at each level, and print what differs."""
    parser = argparse.ArgumentParser(prog="python -m tools.psycopg_suite")
    parser.add_argument("checkout", type=Path, help="the root of a checkout of psycopg, at a tag or HEAD")
    parser.add_argument("--levels", default="watch,exit", help="comma list (%(default)s)")
    parser.add_argument("-k", dest="select", default="", help="only tests that pytest -k selects")
    arguments = parser.parse_args()
    checkout: Path = arguments.checkout.resolve()
    if not (checkout / "tests" / "pool").is_dir() or not (checkout / "psycopg_pool").is_dir():
        parser.error(f"{checkout} has no tests/pool and psycopg_pool; give the root of a checkout of psycopg")
    given = os.environ.get("PSYCOPG_TEST_DSN")
    with nullcontext(given) if given else tcp_postgres() as dsn:
        suite = Suite(checkout, dsn, arguments.select)
        print(f"Python {platform.python_version()}, psycopg {version('psycopg')}, pools of {checkout.name}")
        without = suite.run(None)
        print(f"without the agent: {counted(without)}", flush=True)
        same = True
        for level in arguments.levels.split(","):
            same &= show(compare(suite, level, without))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
