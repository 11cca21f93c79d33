"""POOLWITNESS_SIGTERM: on SIGTERM, where the program has no handler, tell the verdict; then die of it as before.

Taken when the interpreter starts, so that a server that restores "the handler from before" and sends itself the
signal again (uvicorn) restores this one. A handler that the program sets later takes its place and is left alone.
"""

from __future__ import annotations

import _thread
import signal
from collections.abc import Callable
from types import FrameType

LONGEST_VERDICT_S = 10.0


class _Watch:
    """The handler, and what it is in the middle of."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell = tell
        self.ending = False
        self.came_late = False
        self.why_not = ""

        # A function and not a method: each access to a method makes another object, and this one is compared.
        def handle(number: int, frame: FrameType | None) -> None:
            self.came()

        self.handler = handle

    def came(self) -> None:
        if self.ending:
            self.came_late = True  # the verdict is being told as it is; the process dies right after it
            return
        # First of all: whoever sends a second one means now.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            self._tell_elsewhere()
        finally:
            # Process 1 outlives this, as it did before: the kernel keeps from it what it has no handler for.
            signal.raise_signal(signal.SIGTERM)

    def _tell_elsewhere(self) -> None:
        # The main thread may be in the middle of anything, our own lines or a lock of logging's: it only waits.
        told = _thread.allocate_lock()
        told.acquire()

        def run() -> None:
            try:
                self.tell()
            finally:
                told.release()

        try:
            _thread.start_new_thread(run, ())
        except RuntimeError:  # no thread is to be had
            return
        told.acquire(timeout=LONGEST_VERDICT_S)


_watches: list[_Watch] = []


def install(tell: Callable[[], None]) -> None:
    """Take SIGTERM, where nobody has it.

    Args:
        tell: tells the verdict, in a thread of its own; contains what it raises.
    """
    if _watches:
        return
    watch = _Watch(tell)
    _watches.append(watch)
    if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        watch.why_not = "the program handles or ignores SIGTERM itself"
        return
    try:
        signal.signal(signal.SIGTERM, watch.handler)
    except ValueError:
        watch.why_not = "a handler can be set in the main thread only, and the agent was activated in another"


def state() -> str:
    """Whether SIGTERM would be heard now, for the started event."""
    if not _watches:
        return "0"
    if _is_ours(_watches[0]):
        return "1"
    return f"1, not heard: {_watches[0].why_not or 'the program has set a handler of its own since'}"


def hold() -> None:
    """The program is ending, and its verdict is about to be told: a SIGTERM waits for it."""
    for watch in _watches:
        watch.ending = True


def release() -> None:
    """Give the signal back; die of one that came meanwhile."""
    while _watches:
        watch = _watches.pop()
        if _is_ours(watch):
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
            except ValueError:  # another thread: the interpreter does it, at its end
                return
        if watch.came_late:
            signal.raise_signal(signal.SIGTERM)


def _is_ours(watch: _Watch) -> bool:
    return signal.getsignal(signal.SIGTERM) is watch.handler
