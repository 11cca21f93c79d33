"""``python -m tests.psycopg_suite CHECKOUT_OF_PSYCOPG``: exit status 1 where the agent makes a difference."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections import Counter
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

from tests.psycopg_suite.compare import Comparison, compare
from tests.psycopg_suite.suite import Run, Suite
from tests.psycopg_suite.tcp_server import tcp_postgres


def main() -> int:
    """Run the suite without the agent, then at each level, and print what differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.psycopg_suite")
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
        print(f"without the agent: {_counted(without)}", flush=True)
        same = True
        for level in arguments.levels.split(","):
            same &= _show(compare(suite, level, without))
    return 0 if same else 1


def _counted(run: Run) -> str:
    counts = Counter(run.outcomes.values())
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())


def _show(comparison: Comparison) -> bool:
    found = [suspect for suspect in comparison.suspects if suspect.differs]
    verdict = "the same" if not found else f"{len(found)} differ"
    print(f"with the agent at level {comparison.level}: {verdict}")
    for failure in comparison.agent_failures:
        print(f"  no comparison: {failure}")
    for suspect in comparison.suspects:
        what = "DIFFERS" if suspect.differs else "flaky"
        print(f"  {what}: {suspect.test}: {_words(suspect.without)} without, {_words(suspect.with_agent)} with")
    for suspect in found:
        print("    " + suspect.text[-2000:].replace("\n", "\n    "))
    sys.stdout.flush()
    return not found and not comparison.agent_failures


def _words(tally: Counter[str]) -> str:
    return " and ".join(f"{count} times {outcome}" for outcome, count in tally.most_common())


if __name__ == "__main__":
    sys.exit(main())
