"""Answer who asks now: another process at the door, or a signal; in a thread of ours, whatever the main thread does."""

from __future__ import annotations

import _thread
import os
import socket
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from poolwitness.config import Config
from poolwitness.diagnose.registry import run_rules
from poolwitness.dump.socket import END_OF_ANSWER, DumpSocket
from poolwitness.guards import Guard
from poolwitness.report.pipeline import as_lines
from poolwitness.report.state import StateReport, with_report_id
from poolwitness.runtime.checks import RuleChecks
from poolwitness.runtime.report_signal import SignalWatch
from poolwitness.runtime.reporter import Reporter

READER_PATIENCE_S = 2.0
# Where there is no door that a signal could ring at.
LOOKS_FOR_SIGNALS_S = 0.25


class DumpServer:
    """The door, the signal, and the answers.

    Args:
        config: the settings.
        inspector: makes the snapshots.
        teller: whom a report on a signal is handed to.
        take_in: makes the ledger this process's own and current.
        part: the containment.
    """

    def __init__(
        self, config: Config, inspector: RuleChecks, teller: Reporter, take_in: Callable[[], None], part: Guard
    ) -> None:
        self.config = config
        self.inspector = inspector
        self.teller = teller
        self.take_in = take_in
        self.part = part
        self.door = DumpSocket()
        self.signal = SignalWatch(config.signal, self._signalled)
        self._signals: deque[str] = deque()
        self._awaited_in = 0
        self._loop: Any = None
        self._over = False

    @property
    def wants_thread(self) -> bool:
        """Whether a thread of ours was asked for also where pools alone would not bring one."""
        return self.signal.live

    def install(self) -> None:
        """Take the signal, where one was asked for."""
        with self.part:
            self.signal.install()

    def uninstall(self) -> None:
        """Give everything back."""
        self.leave()
        self.signal.uninstall()

    def end(self) -> None:
        """The verdict has been told: nobody is answered any more."""
        self._over = True
        self.leave()

    def after_fork(self) -> None:
        """A door of its own for a forked child, and the signal, where the parent could not have it."""
        self.door.abandon()
        self.door = DumpSocket()
        self._signals.clear()
        self._loop = None
        self._over = False
        self.install()

    # the sweeper's bell

    def open(self) -> None:
        """Open the door before anybody waits there: a fork must find it whole or not at all."""
        if self.part.enabled:
            with self.part:
                self.door.open()

    def wait(self, timeout_s: float, stop: threading.Event) -> None:
        """Wait at the door, and answer who comes."""
        if self.part.enabled:
            with self.part:
                self._awaited_in = os.getpid()
                if self.door.open():
                    connection = self.door.accept(timeout_s)
                    if connection is not None:
                        self._answer(connection)
                else:
                    stop.wait(min(timeout_s, LOOKS_FOR_SIGNALS_S) if self.signal.live else timeout_s)
                if not stop.is_set():
                    self._report_signals()
                return
        stop.wait(timeout_s)

    def ring(self) -> None:
        """Make `wait` return."""
        self.door.knock()

    def leave(self) -> None:
        """Shut the door."""
        self._awaited_in = 0
        with self.part:
            self._leave_loop()
            self.door.close()

    # without a thread of ours: an event loop, or the signal alone

    def listen_on_loop(self) -> None:
        """Have the running event loop watch the door."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is None:
            return
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop() is loop:
            return
        if self.door.open():
            try:
                loop.add_reader(self.door.fileno(), self._contained(self._on_loop))
            except NotImplementedError:  # Windows' own kind of loop
                return
            self._loop = weakref.ref(loop)

    def _on_loop(self) -> None:
        connection = self.door.accept(0.0) if self.part.enabled else None
        if connection is not None:
            # Not here: to gather the answer takes longer than a loop should stand still.
            _thread.start_new_thread(self._contained(self._answer), (connection,))

    def _leave_loop(self) -> None:
        loop = self._loop() if self._loop is not None else None
        self._loop = None
        if loop is None or loop.is_closed():
            return
        if loop.is_running() and sys.modules["asyncio"]._get_running_loop() is not loop:
            loop.call_soon_threadsafe(loop.remove_reader, self.door.fileno())
        else:
            loop.remove_reader(self.door.fileno())

    def _signalled(self) -> None:
        self._signals.append(self.signal.name)
        if self._awaited_in == os.getpid():
            self.ring()
        else:
            _thread.start_new_thread(self._contained(self._report_signals), ())

    def _contained(self, function: Callable[..., None]) -> Callable[..., None]:
        def contained(*args: Any) -> None:
            with self.part:
                function(*args)

        return contained

    # answers

    def document(self) -> bytes:
        """The live state as JSON lines, findings included."""
        report = self._state()
        events = [report.state("poolwitness dump"), *report.pool_events(), *report.findings()]
        return as_lines(with_report_id(events))

    def report(self, asked_by: str) -> None:
        """Report the live state, and the findings that were not reported before.

        Args:
            asked_by: for example ``SIGUSR2``.
        """
        report = self._state()
        for name, event in with_report_id([report.state(asked_by), *report.pool_events()]):
            self.teller.emit(name, event)
        for finding in report.found:
            self.inspector.tell(finding)

    def _state(self) -> StateReport:
        self.take_in()
        snapshot = self.inspector.full_snapshot()
        return StateReport(snapshot, run_rules(snapshot, self.config)[0])

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(READER_PATIENCE_S)
            answer = self.document()
            try:
                connection.sendall(answer + END_OF_ANSWER)
                # A child forked meanwhile has the connection too: closing alone would not end it.
                connection.shutdown(socket.SHUT_WR)
            except OSError:  # whoever asked is gone
                pass

    def _report_signals(self) -> None:
        if self._signals and not self._over and self.part.enabled:
            asked_by = self._signals[-1]
            self._signals.clear()
            self.report(asked_by)
