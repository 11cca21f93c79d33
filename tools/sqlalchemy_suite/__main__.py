"""``python -m tools.sqlalchemy_suite CHECKOUT_OF_SQLALCHEMY``: exit status 1 where the agent makes a difference."""

from __future__ import annotations

import argparse
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from tools.psycopg_suite.compare import compare
from tools.psycopg_suite.show import counted, show
from tools.psycopg_suite.tcp_server import tcp_postgres
from tools.sqlalchemy_suite.suite import FILES, PoolTests


def main() -> int:
    """Run the tests without the agent, then at each level, and print what differs."""
    parser = argparse.ArgumentParser(prog="python -m tools.sqlalchemy_suite")
    parser.add_argument("checkout", type=Path, help="the root of a checkout of SQLAlchemy")
    parser.add_argument("--levels", default="watch,trace", help="comma list (%(default)s)")
    parser.add_argument("-k", dest="select", default="", help="only tests that pytest -k selects")
    arguments = parser.parse_args()
    checkout: Path = arguments.checkout.resolve()
    missing = [file for file in FILES if not (checkout / file).is_file()]
    if missing:
        parser.error(f"{checkout} has no {missing[0]}; give the root of a checkout of SQLAlchemy")
    with tcp_postgres() as dsn:
        suite = PoolTests(checkout, dsn, arguments.select)
        versions = f"SQLAlchemy {version('sqlalchemy')}, psycopg {version('psycopg')}"
        sys.stdout.write(f"Python {platform.python_version()}, {versions}, tests of {checkout.name}\n")
        without = suite.run(None)
        sys.stdout.write(f"without the agent: {counted(without)}\n")
        sys.stdout.flush()
        same = True
        for level in arguments.levels.split(","):
            same &= show(compare(suite, level, without))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
