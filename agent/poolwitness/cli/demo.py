"""``poolwitness demo``: a leaky program under the agent, and what closing its pool saves."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from poolwitness.cli import UsageError, flush, interpreter, supervise
from poolwitness.cli.demo_server import database
from poolwitness.cli.evidence import read
from poolwitness.cli.run import with_agent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The database and the interpreter."""
    parser.add_argument("--dsn", help="a database to use; by default an embedded PostgreSQL is started")
    parser.add_argument("--python", metavar="PATH", help="the interpreter that runs the leaky program")


def run(args: argparse.Namespace) -> int:
    """Run the program twice and compare the two exits.

    Returns:
        1 where no agent spoke in the program, else 0.
    """
    python = args.python or sys.executable
    version = _version(python)
    with nullcontext((args.dsn, "")) if args.dsn else database() as (dsn, about):
        if about:
            print(about)
        print(f"\n1. shop.py leaves its pool open. {interpreter.at_exit(version)}\n")
        as_it_is = _exit_s(python, dsn, close=False)
        print("\n2. The same shop.py, with POOLWITNESS_CLOSE=1.\n")
        closed = _exit_s(python, dsn, close=True)
    if as_it_is is None or closed is None:
        print("\nThe agent did not speak; `poolwitness doctor` says why.")
        return 1
    print("\nFrom the verdict to the end of the process:\n")
    print(f"  as it is                  {as_it_is:6.2f} s")
    print(f"  with POOLWITNESS_CLOSE=1  {closed:6.2f} s\n")
    if version[:2] != (3, 13):
        print("On Python 3.13 the first would be 15 s: `poolwitness demo --python python3.13` shows it.")
    print("What the finding means and how to mend it: `poolwitness explain PW001`.")
    return 0


def _exit_s(python: str, dsn: str, close: bool) -> float | None:
    """Run the program once; seconds from its verdict to its end, None where it gave no verdict."""
    flush()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POOLWITNESS")}
    with tempfile.TemporaryDirectory(prefix="poolwitness-", ignore_cleanup_errors=True) as directory:
        # Copied, because code inside an installed package does not count as an application's.
        shutil.copyfile(Path(__file__).with_name("demo_program.py"), Path(directory, "shop.py"))
        ended = supervise.run(
            [python, "shop.py"],
            {
                **with_agent(environ),
                "DATABASE_URL": dsn,
                "POOLWITNESS_FORMAT": "console",
                "POOLWITNESS_CLOSE": "1" if close else "0",
                "POOLWITNESS_CHECK_DIR": directory,
            },
            directory=directory,
        )
        verdict_at = read(Path(directory)).verdict_at.get(ended.pid)
    return max(0.0, ended.ended_at - verdict_at) if verdict_at else None


def _version(python: str) -> tuple[int, ...]:
    """The version of an interpreter that can run the program.

    Raises:
        UsageError: there is no such interpreter, or it lacks psycopg_pool.
    """
    code = "import sys, psycopg_pool; print(*sys.version_info[:3])"
    try:
        asked = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        return tuple(int(number) for number in asked.stdout.split()[-3:])
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise UsageError(f"{python} is no Python interpreter that can be started: {error}.") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it ended with an error"])[-1]
        install = f"{python} -m pip install 'psycopg[binary,pool]'"
        raise UsageError(f"{python} cannot run the demo: {last}; `{install}` may help.") from None
