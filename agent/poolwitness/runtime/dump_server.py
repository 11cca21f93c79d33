"""Answer a process, or a signal, that asks for the live state: in a thread of ours, whatever the main thread does."""

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
from poolwitness.guards import Guard, let_pass
from poolwitness.ledger.observers import Observer
from poolwitness.report.pipeline import as_lines
from poolwitness.report.state import StateReport, with_report_id
from poolwitness.runtime.checks import RuleChecks
from poolwitness.runtime.report_signal import ReportSignal

READER_PATIENCE_S = 2.0
# If there is no socket that the signal handler could wake the thread with.
POLL_SIGNALS_S = 0.25


class DumpServer(Observer):
    """The socket, the signal, and the answers.

    Args:
        config: the settings.
        checks: takes the snapshots.
        guard: contains what our lines raise.
    """

    def __init__(self, config: Config, checks: RuleChecks, guard: Guard) -> None:
        self.config = config
        self.checks = checks
        self.guard = guard
        self.socket = DumpSocket()
        self.signal = ReportSignal(config.signal, self._signal_received)
        self._signals: deque[str] = deque()
        self._awaited_in = 0
        self._loop: Any = None
        self._over = False

    @property
    def wants_thread(self) -> bool:
        """Whether a thread is needed even if the pools alone need none."""
        return self.signal.live

    def install(self) -> None:
        """Handle the signal, if one was asked for."""
        with self.guard:
            self.signal.install()

    def uninstall(self) -> None:
        """Close the socket and restore the signal."""
        self.leave()
        self.signal.uninstall()

    def forked(self) -> None:
        self.socket.abandon()
        self.socket = DumpSocket()
        self._signals.clear()
        self._loop = None
        self._over = False
        self.install()

    def process_ending(self, hook: str) -> None:
        self._over = True
        self.leave()

    # what the sweeper's thread waits at

    def open(self) -> None:
        """Open the socket before a thread waits at it: a fork must find it whole or not at all."""
        if self.guard.enabled:
            with self.guard:
                self.socket.open()

    def wait(self, timeout_s: float, stop: threading.Event) -> None:
        """Wait at the socket, and answer what connects."""
        if self.guard.enabled:
            with self.guard:
                self._awaited_in = os.getpid()
                if self.socket.open():
                    connection = self.socket.accept(timeout_s)
                    if connection is not None:
                        self._answer(connection)
                else:
                    stop.wait(min(timeout_s, POLL_SIGNALS_S) if self.signal.live else timeout_s)
                if not stop.is_set():
                    self._report_signals()
                return
        stop.wait(timeout_s)

    def wake(self) -> None:
        """Make `wait` return."""
        self.socket.wake()

    def leave(self) -> None:
        """Close the socket."""
        self._awaited_in = 0
        with self.guard:
            self._leave_loop()
            self.socket.close()

    # without a thread of ours: an event loop, or the signal alone

    def listen_on_loop(self) -> None:
        """Let the running event loop watch the socket."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is None:
            return
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop() is loop:
            return
        if self.socket.open():
            try:
                loop.add_reader(self.socket.fileno(), self._guarded(self._on_loop))
            except NotImplementedError as error:  # Windows' own kind of loop
                let_pass(error)
                return
            self._loop = weakref.ref(loop)

    def _on_loop(self) -> None:
        connection = self.socket.accept(0.0) if self.guard.enabled else None
        if connection is not None:
            # Not here: gathering the answer takes longer than a loop should stand still.
            _thread.start_new_thread(self._guarded(self._answer), (connection,))

    def _leave_loop(self) -> None:
        loop = self._loop() if self._loop is not None else None
        self._loop = None
        if loop is None or loop.is_closed():
            return
        if loop.is_running() and sys.modules["asyncio"]._get_running_loop() is not loop:
            loop.call_soon_threadsafe(loop.remove_reader, self.socket.fileno())
        else:
            loop.remove_reader(self.socket.fileno())

    def _signal_received(self) -> None:
        self._signals.append(self.signal.name)
        if self._awaited_in == os.getpid():
            self.wake()
        else:
            _thread.start_new_thread(self._guarded(self._report_signals), ())

    def _guarded(self, function: Callable[..., None]) -> Callable[..., None]:
        def guarded(*args: Any) -> None:
            with self.guard:
                function(*args)

        return guarded

    # answers

    def document(self) -> bytes:
        """The live state as JSON lines, findings included."""
        report = self._state()
        return as_lines(with_report_id([report.state("poolwitness dump"), *report.pool_events(), *report.findings()]))

    def report(self, asked_by: str) -> None:
        """Write the live state as events, and the findings that were not reported yet.

        Args:
            asked_by: for example ``SIGUSR2``.
        """
        report = self._state()
        for name, event in with_report_id([report.state(asked_by), *report.pool_events()]):
            self.checks.reporter.emit(name, event)
        for finding in report.found:
            self.checks.report_finding(finding)

    def _state(self) -> StateReport:
        self.checks.ledger.synchronize()
        snapshot = self.checks.take_full()
        return StateReport(snapshot, run_rules(snapshot, self.config)[0])

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(READER_PATIENCE_S)
            answer = self.document()
            try:
                connection.sendall(answer + END_OF_ANSWER)
                # A child that was forked meanwhile has the connection too: closing alone would not end it.
                connection.shutdown(socket.SHUT_WR)
            except OSError as error:  # the other side is gone
                let_pass(error)

    def _report_signals(self) -> None:
        if self._signals and not self._over and self.guard.enabled:
            asked_by = self._signals[-1]
            self._signals.clear()
            self.report(asked_by)
