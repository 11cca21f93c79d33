"""The ``poolwitness`` command: one module a command, imported when it is asked for.

Each command's module has ``add_arguments(parser)`` and ``run(args) -> int``, the exit status.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from poolwitness._version import __version__

USAGE_ERROR = 2

COMMANDS = {
    "run": "start a program under the witness",
    "demo": "show what the witness says of a leaky program",
    "doctor": "say which ways of activation are live here, and which versions have known faults",
    "explain": "print the page of a rule, or list the rules",
    "dump": "say what lives in a running process: its pools, the connections that are out, and who has them",
    "postmortem": "say what dead processes left in their black boxes: pools open, connections out, requests waiting",
    "report": "say what the agents of many processes wrote: which lines leak most, since when, what got worse",
    "lnav-format": "print the file with which lnav reads the lines",
    "schema": "print the JSON Schema of the lines",
    "sitedir": "print the directory to put on PYTHONPATH",
}


class UsageError(Exception):
    """Something in the command line that cannot be done; the text is one sentence for the user."""


class Parser(argparse.ArgumentParser):
    """An argparse parser that answers a mistake with one sentence."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after the program's name; those of this process by default.

    Returns:
        The exit status: 2 for a mistake in the command line, else the command's own.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parse(words)
        status: int = _module(args.command).run(args)
        flush()
    except UsageError as error:
        say(str(error))
        return USAGE_ERROR
    except BrokenPipeError:
        # The reader (a pager, head) has seen enough; without this the interpreter complains as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        say(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def say(sentence: str) -> None:
    """Tell the user something on stderr, which is never worth failing for."""
    if sys.stderr is None:  # closed before we started: print would take stdout then
        return
    try:
        print(f"poolwitness: {sentence}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass


def flush() -> None:
    """Give away what was printed, before another program prints or this one is replaced.

    Raises:
        BrokenPipeError: the reader of stdout is gone.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _parse(words: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="poolwitness",
        description="A witness for psycopg 3 connection pools.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"poolwitness {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, sentence in COMMANDS.items():
        command = commands.add_parser(name, help=sentence, description=_capital(sentence), allow_abbrev=False)
        if name == chosen:
            _module(name).add_arguments(command)
    # What follows the first -- is a program's own command line and none of argparse's business.
    cut = words.index("--") if "--" in words else len(words)
    args = parser.parse_args(words[:cut])
    args.after_dashes = words[cut:]
    if args.after_dashes and args.command != "run":
        raise UsageError(f"`poolwitness {args.command}` takes nothing after --.")
    return args


def _module(command: str) -> Any:
    return import_module(f"{__name__}.{command.replace('-', '_')}")


def _capital(sentence: str) -> str:
    return f"{sentence[0].upper()}{sentence[1:]}."
