"""What every command prints through: messages on stderr, and a flush that reports a closed pipe."""

from __future__ import annotations

import sys


class UsageError(Exception):
    """A mistake in the command line; the text is one sentence for the user."""


def print_message(sentence: str) -> None:
    """Print a sentence for the user on stderr; a failure to write is ignored."""
    if sys.stderr is None:  # closed before we started: print would take stdout then
        return
    try:
        print(f"poolwitness: {sentence}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass


def flush() -> None:
    """Flush stdout and stderr, before another program prints or replaces this one.

    Raises:
        BrokenPipeError: the reader of stdout is gone.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
