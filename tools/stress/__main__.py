"""``python -m tools.stress --seconds 60``: a minute of each mode with the agent, between two half minutes without."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from contextlib import nullcontext
from importlib.metadata import version

from tests.support.postgres import embedded_postgres
from tools.stress.load import CONNECTIONS, TASKS, THREADS
from tools.stress.runs import MODES, growth, run


def main() -> int:
    """Run, and write a table; 1 where something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tools.stress")
    parser.add_argument("--seconds", type=float, default=60.0, help="of a run with the agent (%(default)s)")
    arguments = parser.parse_args()
    given = os.environ.get("POOLWITNESS_TEST_DSN")
    rows = [
        f"Python {platform.python_version()}, psycopg_pool {version('psycopg_pool')}, {os.cpu_count()} processors, "
        f"{CONNECTIONS} connections, {THREADS} threads or {TASKS} tasks, {arguments.seconds:g} s",
        "",
        "| | cycles/s without | cycles/s with | time a cycle | cycles with | growth of memory | errors |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    wrong = 0
    with nullcontext(given) if given else embedded_postgres() as dsn:
        for mode in MODES:
            half = arguments.seconds / 2
            before = run(mode, half, dsn, active=False)
            active = run(mode, arguments.seconds, dsn, active=True)
            after = run(mode, half, dsn, active=False)
            without = (before.cycles + after.cycles) / (before.seconds + after.seconds)
            with_agent = active.cycles / active.seconds
            wrong += len(active.troubles)
            rows.append(
                f"| {mode} | {without:,.0f} | {with_agent:,.0f} | x {without / with_agent:.2f} | {active.cycles:,} "
                f"| {growth(active.memory_bytes) / 1024:+,.0f} KiB, {growth(active.allocated_blocks):+,.0f} blocks "
                f"| {len(active.troubles)} |"
            )
            rows += active.troubles
    sys.stdout.write("\n".join(rows) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
