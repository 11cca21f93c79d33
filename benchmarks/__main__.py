"""``python -m benchmarks``: run them all, or those named, and print one table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import checkouts, importing, memory, startup, sweeping, verdicts
from benchmarks.environments import environments
from benchmarks.results import Row, table
from tools.psycopg_suite.tcp_server import tcp_postgres

DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"
NAMES = ("startup", "importing", "checkouts", "memory", "sweeping", "verdicts")
LIBRARIES = ("psycopg", "psycopg-pool", "structlog", "psutil")


def main() -> int:
    """Exit status 1 where a budget does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(NAMES)} (all)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the repetitions: for a first look")
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT.name}")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    rows = _run(arguments.names or list(NAMES), 10 if arguments.quick else 1)
    text = f"{_machine()}\n\n{table(rows)}"
    print(text)
    if arguments.write:
        _write(text)
    return 1 if any(row.holds is False for row in rows) else 0


def _run(names: list[str], divisor: int) -> list[Row]:
    given = os.environ.get("POOLWITNESS_TEST_DSN")
    rows: list[Row] = []
    with environments() as made, nullcontext(given) if given else tcp_postgres(700) as dsn:
        benchmarks: dict[str, Callable[[], list[Row]]] = {
            "startup": lambda: startup.measure(made, 300 // divisor),
            "importing": lambda: importing.measure(made, 40 // divisor),
            "checkouts": lambda: checkouts.measure(made, dsn, 150 // divisor),
            "memory": lambda: memory.measure(made, dsn),
            "sweeping": lambda: sweeping.measure(made, dsn, 60 // divisor),
            "verdicts": lambda: verdicts.measure(made, 10 // divisor),
        }
        for name in names:
            print(f"{name} …", file=sys.stderr, flush=True)
            rows += benchmarks[name]()
    return rows


def _machine() -> str:
    found = []
    for library in LIBRARIES:
        try:
            found.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            continue
    text = f"Python {platform.python_version()}, {', '.join(found)}, {platform.system()} on {platform.machine()}"
    text += f", {os.cpu_count()} cores"
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1):
        text += f"; **the machine was busy** (load {os.getloadavg()[0]:.1f}), so that times are long and wide"
    return text + "."


def _write(text: str) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
