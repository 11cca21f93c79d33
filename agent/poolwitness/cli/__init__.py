"""The ``poolwitness`` command line: parses the arguments and imports only the module of the command that was given.

Each command's module has ``add_arguments(parser)`` and ``run(args) -> int``, the exit status.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from poolwitness._version import __version__
from poolwitness.cli.output import UsageError, flush, print_message

__all__ = ["COMMANDS", "UsageError", "main", "say"]

USAGE_ERROR = 2


class Command(NamedTuple):
    """One command: its module within this package, and its line in ``--help``."""

    module: str
    summary: str


COMMANDS = {
    "run": Command("run.command", "start a program under the witness"),
    "demo": Command("demo.command", "show what the witness says of a leaky program"),
    "doctor": Command(
        "doctor.command", "say which ways of activation are live here, and which versions have known faults"
    ),
    "explain": Command("explain", "print the page of a rule, or list the rules"),
    "dump": Command(
        "dump.command", "say what lives in a running process: its pools, the connections that are out, and who has them"
    ),
    "postmortem": Command(
        "postmortem",
        "say what dead processes left in their black boxes: pools open, connections out, requests waiting",
    ),
    "report": Command(
        "report",
        "say what the agents of many processes wrote: which lines leak most, since when, what got worse",
    ),
    "lnav-format": Command("schema", "print the file with which lnav reads the lines"),
    "schema": Command("schema", "print the JSON Schema of the lines"),
    "sitedir": Command("sitedir", "print the directory to put on PYTHONPATH"),
}

say = print_message  # for dump and postmortem


class Parser(argparse.ArgumentParser):
    """An argparse parser that reports a mistake in one sentence, without the usage text."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; those of this process by default.

    Returns:
        The exit status: 2 for a mistake in the command line, else the command's own.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parse(words)
        status: int = _module(args.command).run(args)
        flush()
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
    return status


def _parse(words: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="poolwitness",
        description="A witness for psycopg 3 connection pools.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"poolwitness {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=command.summary, description=_sentence(command.summary), allow_abbrev=False
        )
        if name == chosen:
            _module(name).add_arguments(subparser)
    # What follows the first -- is another program's command line; argparse must not see it.
    cut = words.index("--") if "--" in words else len(words)
    args = parser.parse_args(words[:cut])
    args.after_dashes = words[cut:]
    if args.after_dashes and args.command != "run":
        raise UsageError(f"`poolwitness {args.command}` takes nothing after --.")
    return args


def _module(command: str) -> Any:
    return import_module(f"{__name__}.{COMMANDS[command].module}")


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."
