"""Handle the signal that asks for a report: the handler only notes that it came and wakes a thread of ours."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

from poolwitness.guards import is_ours, let_pass


class ReportSignal:
    """The handler of one signal; a handler of the program's own is never replaced.

    Args:
        name: such as ``SIGUSR2``; empty for none.
        received: called in the handler: in the main thread, between any two lines of the program.
    """

    def __init__(self, name: str, received: Callable[[], None]) -> None:
        self.name = name
        self.received = received
        self._why_not = ""

        def handle(number: int, frame: FrameType | None) -> None:
            try:
                self.received()
            except Exception as error:
                if not is_ours(error):
                    raise

        self._handler = handle

    @property
    def live(self) -> bool:
        """Whether the signal would be handled now."""
        return bool(self.name) and signal.getsignal(self._number()) is self._handler

    def install(self) -> None:
        """Handle the signal, if nothing else does."""
        if not self.name or self.live:
            return
        if signal.getsignal(self._number()) != signal.SIG_DFL:
            self._why_not = "the program handles or ignores it itself, and is left to"
        elif not _in_main_thread():
            self._why_not = "a handler can be set in the main thread only, and psycopg_pool was imported in another"
        else:
            try:
                signal.signal(self._number(), self._handler)
            except (OSError, ValueError) as error:
                let_pass(error)
                self._why_not = "this system lets nobody handle it"

    def uninstall(self) -> None:
        """Restore the default action, unless the program has set a handler meanwhile."""
        self.received = _nothing
        if self.live and _in_main_thread():
            signal.signal(self._number(), signal.SIG_DFL)

    def problem(self) -> str:
        """One sentence on why the signal is not handled; empty if it is, or if none was asked for."""
        if not self.name or self.live:
            return ""
        why = self._why_not or "the program has set a handler of its own since"
        return f"POOLWITNESS_SIGNAL={self.name} is not heard: {why}; `poolwitness dump PID` asks without a signal"

    def _number(self) -> signal.Signals:
        return signal.Signals[self.name]


def _nothing() -> None:
    pass


def _in_main_thread() -> bool:
    # Not current_thread(): it creates a dummy thread if threading did not start the one that runs.
    return threading.get_ident() == threading.main_thread().ident
