"""POOLWITNESS_SIGTERM: on SIGTERM, if the program has no handler, give the verdict, then die of the signal.

Installed when the interpreter starts, so that a server that restores "the handler from before" and sends itself the
signal again (uvicorn) restores this one. A handler that the program sets later replaces it and is left alone.
"""

from __future__ import annotations

import _thread
import signal
from collections.abc import Callable
from types import FrameType

LONGEST_VERDICT_S = 10.0


class _Handler:
    """The handler, and what it is in the middle of."""

    def __init__(self, give_verdict: Callable[[], None]) -> None:
        self.give_verdict = give_verdict
        self.ending = False
        self.came_late = False
        self.why_not = ""

        # A function and not a method: each access to a method makes another object, and this one is compared.
        def handle(number: int, frame: FrameType | None) -> None:
            self.received()

        self.function = handle

    def received(self) -> None:
        if self.ending:
            self.came_late = True  # the verdict is being given already; the process dies right after it
            return
        # First of all: a second SIGTERM ends the process at once.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            self._give_verdict_in_thread()
        finally:
            # Process 1 outlives this, as it did before: the kernel keeps from it what it has no handler for.
            signal.raise_signal(signal.SIGTERM)

    def _give_verdict_in_thread(self) -> None:
        # The main thread may be in the middle of anything, our own lines or a lock of logging's: it only waits.
        given = _thread.allocate_lock()
        given.acquire()

        def run() -> None:
            try:
                self.give_verdict()
            finally:
                given.release()

        try:
            _thread.start_new_thread(run, ())
        except RuntimeError:  # no thread can be started
            return
        given.acquire(timeout=LONGEST_VERDICT_S)

    def is_installed(self) -> bool:
        return signal.getsignal(signal.SIGTERM) is self.function


_handlers: list[_Handler] = []


def install(give_verdict: Callable[[], None]) -> None:
    """Handle SIGTERM, unless the program does.

    Args:
        give_verdict: called in a thread of its own; contains what it raises.
    """
    if _handlers:
        return
    handler = _Handler(give_verdict)
    _handlers.append(handler)
    if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        handler.why_not = "the program handles or ignores SIGTERM itself"
        return
    try:
        signal.signal(signal.SIGTERM, handler.function)
    except ValueError:
        handler.why_not = "a handler can be set in the main thread only, and the agent was activated in another"


def state() -> str:
    """Whether SIGTERM would be handled now, for the started event."""
    if not _handlers:
        return "0"
    if _handlers[0].is_installed():
        return "1"
    return f"1, not heard: {_handlers[0].why_not or 'the program has set a handler of its own since'}"


def hold() -> None:
    """The process is ending, and its verdict is about to be given: a SIGTERM waits for it."""
    for handler in _handlers:
        handler.ending = True


def release() -> None:
    """Restore the default action; die of a signal that came meanwhile."""
    while _handlers:
        handler = _handlers.pop()
        if handler.is_installed():
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
            except ValueError:  # another thread: the interpreter does it, at its end
                return
        if handler.came_late:
            signal.raise_signal(signal.SIGTERM)
