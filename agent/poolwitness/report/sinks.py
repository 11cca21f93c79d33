"""The outputs that lines are written to: a descriptor, a file, the application's logging or structlog.

A line is one write to its descriptor, without a lock, and is never waited for: a reader that has stopped
reading costs the program nothing but our line.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from poolwitness.report.descriptors import identity_of, write_patiently

Render = Callable[[dict[str, Any]], bytes]


class Sink(Protocol):
    """Takes events; ``accept`` returns False when the event could not be written."""

    name: str

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        """Write one event, waiting at most *patience_s* for the reader."""


class FdSink:
    """A descriptor, known again by its device and inode: a number that now means another file is not written to."""

    def __init__(self, name: str, fd: int, render: Render, pattern: str = "") -> None:
        self.name = name
        # The path with its ``%p``, absolute: a daemon goes elsewhere.
        self.pattern = pattern
        self.fd = fd
        self.render = render
        self.identity = identity_of(fd)

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        """Render the event and write it."""
        return self.write(self.render(event), patience_s)

    def write(self, data: bytes, patience_s: float = 0.0) -> bool:
        """One write of at most 4,096 bytes, or of more in pieces, each only when it would not block."""
        if (self.identity is None or identity_of(self.fd) != self.identity) and not self._found_again():
            return False
        while data:
            written = write_patiently(self.fd, data[:4096], patience_s)
            if not written:
                return False
            data = data[written:]
        return True

    def close(self) -> None:
        """Give the descriptor back; one that was not opened here, or means another file by now, is left alone."""
        if self.fd > 2 and self.identity is not None and identity_of(self.fd) == self.identity:
            with contextlib.suppress(OSError):
                os.close(self.fd)
        self.fd, self.identity = 2, None

    def _found_again(self) -> bool:
        # A daemon that closes every descriptor it does not know has closed our copy of stderr too.
        if self.name != "stderr" or self.fd == 2 or not _is_stderr(2):
            return False
        self.fd, self.identity = 2, identity_of(2)
        return self.identity is not None


# Those that hold a copy of stderr, and whether the hook is there that gives the copies back in a child.
_copies: weakref.WeakSet[FdSink] = weakref.WeakSet()
_registered: list[bool] = []


def stderr_sink(render: Callable[[bool], Render]) -> FdSink | None:
    """The process's stderr through a descriptor of our own, since ``sys.stderr`` may be gone at exit.

    Args:
        render: gives the renderer; its argument is whether the descriptor is a terminal.
    """
    if not _is_stderr(2):
        return None
    try:
        fd = os.dup(2)
    except OSError:  # no descriptor left
        fd = 2
    sink = FdSink("stderr", fd, render(os.isatty(fd)))
    _copies.add(sink)
    if not _registered and hasattr(os, "register_at_fork"):
        _registered.append(True)
        os.register_at_fork(after_in_child=_follow_all_in_child)
    return sink


def follow_in_child(sink: FdSink) -> None:
    """In a forked child write where a process of its own would.

    For stderr, give the copy back and write to descriptor 2 itself: a daemon that has closed its standard descriptors
    must not keep its parent's pipe open through ours. For a file with ``%p`` in its name, open the child's own; where
    that cannot be done, as by a child that has become another user, the parent's is better than none.
    """
    if sink.name == "stderr":
        sink.close()
        sink.identity = identity_of(2)
    elif "%p" in sink.pattern:
        with contextlib.suppress(OSError):
            fd = _open(sink.pattern)
            sink.close()
            sink.fd, sink.identity = fd, identity_of(fd)


def _follow_all_in_child() -> None:
    # At once: a child that never uses a pool would hold the copies for as long as it lives.
    for sink in list(_copies):
        with contextlib.suppress(Exception):
            follow_in_child(sink)


def file_sink(path: str, render: Render) -> FdSink:
    """A file opened for append; ``%p`` in the path is the pid.

    Raises:
        OSError: the file cannot be opened.
    """
    return FdSink(f"file:{path}", _open(path), render, os.path.abspath(path))


def _open(pattern: str) -> int:
    # O_NONBLOCK: opening a named pipe without a reader would wait forever.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.open(pattern.replace("%p", str(os.getpid())), flags, 0o640)


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
        """Hand the event's fields to the application's own logger."""
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


def _is_stderr(fd: int) -> bool:
    # Where stderr was closed, the next file to be opened got its number: what Python opens is not inheritable,
    # what was there at the start or was put there by dup2 is.
    if getattr(sys, "__stderr__", None) is None:
        return False
    try:
        return sys.platform == "win32" or os.get_inheritable(fd)
    except OSError:
        return False
