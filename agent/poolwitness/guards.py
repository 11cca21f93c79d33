"""The boundary between host code and ours: what our lines raise stops here.

A Guard is both the name of a piece of the agent and the context manager that contains it. Only Exception is
contained: a KeyboardInterrupt or a cancellation that lands in our lines belongs to the host.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType


class Guard:
    """A piece of the agent that can fail alone: entered around our lines, disabled by their first failure."""

    __slots__ = ("enabled", "failure", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.enabled = True
        self.failure: str | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if kind is None:
            return False
        if not issubclass(kind, Exception):
            return False
        try:
            fail(self, kind, traceback)
        except Exception:  # noqa: BLE001 - nothing of ours may come out of here
            self.enabled = False
        return True


_listener: Callable[[Guard], None] | None = None


def fail(part: Guard, kind: type[BaseException], traceback: TracebackType | None) -> None:
    """Disable *part* and say so once; the text of the exception stays here, since it may hold secrets."""
    # The host's own recursion or memory may be at its end: that says nothing about this part.
    if not part.enabled or issubclass(kind, (RecursionError, MemoryError)):
        return
    part.enabled = False
    where = ""
    while traceback is not None:
        where = f" at {traceback.tb_frame.f_code.co_name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    part.failure = f"{kind.__name__}{where}"
    listener = _listener
    if listener is not None:
        try:
            listener(part)
        except Exception:  # noqa: BLE001 - the teller failed too; the host still must not notice
            pass


def on_failure(listener: Callable[[Guard], None] | None) -> None:
    """Set who is told, once, of each part that failed."""
    global _listener
    _listener = listener
