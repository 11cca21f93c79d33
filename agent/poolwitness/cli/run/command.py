"""``poolwitness run [--check] -- COMMAND…``: start a program with the agent on.

It fails open: whatever goes wrong while the agent is set up, the command still runs.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Mapping
from typing import Any

from poolwitness.cli.output import UsageError, print_message
from poolwitness.cli.run.exec import replace_process
from poolwitness.cli.sitedir import path as sitedir

USAGE = "poolwitness run [-h] [--check] -- COMMAND [ARGUMENT ...]"
ARGUMENTS: dict[str, dict[str, Any]] = {
    "--check": {
        "action": "store_true",
        "help": "stay as the parent, measure the exit, and end with status 23 where there were findings",
    },
    "words": {"nargs": argparse.REMAINDER, "metavar": "COMMAND", "help": "the program and its arguments"},
}


def run(args: argparse.Namespace) -> int:
    """Start the command; without ``--check`` it replaces this process.

    Returns:
        127 if the command was not found, 126 if it could not be executed, as in a shell; with ``--check`` also 23,
        or the command's own status.
    """
    command = [*args.words, *(args.after_dashes if args.words else args.after_dashes[1:])]
    if not command:
        raise UsageError("there is no command to run; write `poolwitness run -- python app.py`.")
    environ = dict(os.environ)
    start = replace_process
    try:
        environ = with_agent(environ)
        if args.check:
            from poolwitness.cli.run.check import run_checked

            start = run_checked
    except Exception as error:  # noqa: BLE001 - the command has to run, whatever is wrong with us
        print_message(f"{shlex.quote(command[0])} runs without the agent, which could not be set up: {error}.")
    return start(command, environ)


def with_agent(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment in which Python programs start the agent; its other POOLWITNESS_… variables are kept."""
    directory = sitedir()
    if not (directory / "sitecustomize.py").is_file():
        raise FileNotFoundError(f"{directory} has no sitecustomize.py")
    others = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if str(directory) not in others[:1]:
        others.insert(0, str(directory))
    return {**environ, "POOLWITNESS": "1", "PYTHONPATH": os.pathsep.join(others)}
