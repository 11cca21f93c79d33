"""The ``poolwitness`` command line: parses the arguments and imports only the module of the command that was given.

Each command's module has ``run(args) -> int``, which returns the exit status. It may also have ``ARGUMENTS``, by name
the options of argparse's ``add_argument``, and ``USAGE``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from poolwitness._version import __version__
from poolwitness.cli.output import UsageError, flush, print_message

USAGE_ERROR = 2

# A command's module within this package, and its line in ``--help``.
COMMANDS = {
    "run": ("run.command", "start a program under the witness"),
    "demo": ("demo.command", "show what the witness says of a leaky program"),
    "doctor": ("doctor.command", "say which ways of activation are live here, and which versions have known faults"),
    "explain": ("explain", "print the page of a rule, or list the rules"),
    "dump": (
        "dump.command",
        "say what lives in a running process: its pools, the connections that are out, and who has them",
    ),
    "postmortem": (
        "postmortem",
        "say what dead processes left in their black boxes: pools open, connections out, requests waiting",
    ),
    "report": (
        "report",
        "say what the agents of many processes wrote: which lines leak most, since when, what got worse",
    ),
    "lnav-format": ("schema", "print the file with which lnav reads the lines"),
    "schema": ("schema", "print the JSON Schema of the lines"),
    "sitedir": ("sitedir", "print the directory to put on PYTHONPATH"),
}


class Parser(argparse.ArgumentParser):
    """An argparse parser that reports a mistake in one sentence, without the usage text."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, by default with the arguments of this process.

    Returns:
        The exit status: 2 for a mistake in the command line, else the command's own.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parse(words)
        status: int = _module(args.command).run(args)
        flush()
        return status
    except UsageError as error:
        print_message(str(error))
        return USAGE_ERROR
    except BrokenPipeError:
        # The reader (a pager, head) closed the pipe. Without this, the interpreter complains as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print_message(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
        return 1
    except KeyboardInterrupt:
        return 130


def _parse(words: list[str]) -> argparse.Namespace:
    parser = Parser(prog="poolwitness", description="A witness for psycopg 3 connection pools.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"poolwitness {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, (_, summary) in COMMANDS.items():
        description = f"{summary[0].upper()}{summary[1:]}."
        subparser = subparsers.add_parser(name, help=summary, description=description, allow_abbrev=False)
        if name == chosen:
            module = _module(name)
            subparser.usage = getattr(module, "USAGE", None)
            for argument, options in getattr(module, "ARGUMENTS", {}).items():
                subparser.add_argument(argument, **options)
    # What follows the first -- is another program's command line; argparse must not see it.
    cut = words.index("--") if "--" in words else len(words)
    args = parser.parse_args(words[:cut])
    args.after_dashes = words[cut:]
    if args.after_dashes and args.command != "run":
        raise UsageError(f"`poolwitness {args.command}` takes nothing after --.")
    return args


def _module(command: str) -> Any:
    return import_module(f"{__name__}.{COMMANDS[command][0]}")
