"""Write events to a descriptor, a file, the application's logging or structlog.

A line is one write to its descriptor, without a lock, and never waits: if the reader has stopped reading, the line is
dropped and counted.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

from poolwitness.model.startup import stderr_at_start
from poolwitness.report.descriptors import identity_of, takes_lines, write_patiently

Render = Callable[[dict[str, Any]], bytes]


class Sink(Protocol):
    """Takes events; ``accept`` returns False when the event could not be written."""

    name: str

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        """Write one event, waiting at most *patience_s* for the reader."""


class FdSink:
    """A descriptor, recognized by its device and inode: a number that now means another file is not written to."""

    def __init__(self, name: str, fd: int, render: Render) -> None:
        self.name = name
        self.fd = fd
        self.render = render
        self.identity = identity_of(fd)

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        return self.write(self.render(event), patience_s)

    def write(self, data: bytes, patience_s: float = 0.0) -> bool:
        """One write of at most 4,096 bytes, or of more in pieces, each only when it would not block."""
        if not self.is_writable():
            return False
        while data:
            written = write_patiently(self.fd, data[:4096], patience_s)
            if not written:
                return False
            data = data[written:]
        return True

    def is_writable(self) -> bool:
        """Whether the descriptor is still the file that was opened."""
        return self.identity is not None and identity_of(self.fd) == self.identity

    def close(self) -> None:
        """Close the descriptor, unless it means another file by now."""
        if self.is_writable():
            with contextlib.suppress(OSError):
                os.close(self.fd)
        self.identity = None


class StderrSink(FdSink):
    """Descriptor 2 itself: a copy would keep a pipe open that the program has closed.

    A descriptor 2 that is not the one of the interpreter's start is written to only if it can take the lines without
    damage: a pipe, a terminal or another character device, or a file that is opened for append.
    """

    def __init__(self, render: Render) -> None:
        super().__init__("stderr", 2, render)

    def is_writable(self) -> bool:
        self.identity = identity_of(2)
        if self.identity is None or not _is_stderr():
            return False
        return self.identity == stderr_at_start() or takes_lines(2)

    def close(self) -> None:
        self.identity = None  # descriptor 2 is not ours to close


def stderr_sink(render: Callable[[bool], Render]) -> StderrSink | None:
    """The process's stderr; None if there is none. *render* gets whether it is a terminal, and gives the renderer."""
    return StderrSink(render(os.isatty(2))) if _is_stderr() else None


class LoggingSink:
    """The application's logging, under the logger ``poolwitness``; the whole event is the record's ``poolwitness``."""

    name = "logging"

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        """Hand the event to logging, once: what its handlers make us see meanwhile is not reported through it."""
        import logging

        levels = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
        level = levels.get(str(event.get("level")), logging.INFO)
        logging.getLogger("poolwitness").log(level, "%s", _sentence(event), extra={"poolwitness": dict(event)})
        return True


class StructlogSink:
    """The application's structlog, configured as it is."""

    name = "structlog"

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        import structlog

        fields = {key: value for key, value in event.items() if key not in ("event", "level", "timestamp", "logger")}
        method = getattr(structlog.get_logger("poolwitness"), str(event.get("level", "info")))
        method(event["event"], **fields)
        return True


class Reentrance(threading.local):
    """Whether this thread is inside a sink: a log handler that uses a pool must not come back here."""

    inside = False


def _sentence(event: dict[str, Any]) -> str:
    rule = event.get("poolwitness.rule")
    text = str(event.get("message", ""))
    where = event.get("code.file.path")
    if rule and where:
        return f"{rule} {text} [{where}:{event.get('code.line.number')}]"
    return f"{rule} {text}" if rule else text


def _is_stderr() -> bool:
    # If stderr was closed, the next file that was opened got its number: what Python opens is not inheritable, what was
    # there at the start or was put there by dup2 is.
    if getattr(sys, "__stderr__", None) is None:
        return False
    try:
        return sys.platform == "win32" or os.get_inheritable(2)
    except OSError:
        return False
