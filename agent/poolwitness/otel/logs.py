"""The output ``otel``: events as OpenTelemetry log records, through the application's own logger provider.

OpenTelemetry is not imported here: if the application has not imported it, there is no provider. Events wait until a
provider is set; if none ever is, or it was shut down, they go to stderr as lines.
"""

from __future__ import annotations

import calendar
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from poolwitness._version import __version__
from poolwitness.guards import let_pass
from poolwitness.report.sinks import FdSink, Render, stderr_sink

MOST_WAITING = 500
_ELSEWHERE = frozenset({"timestamp", "level", "event", "message", "logger"})
_SEVERITIES = {"info": ("INFO", "INFO"), "warning": ("WARN", "WARN"), "error": ("ERROR", "ERROR")}


def provider_of(signal: str) -> Any:
    """The provider that the application has set for ``_logs`` or ``metrics``, or None.

    The API's own getter would create one from the environment, and the application could then set none.
    """
    internal = sys.modules.get(f"opentelemetry.{signal}._internal")
    name = "_LOGGER_PROVIDER" if signal == "_logs" else "_METER_PROVIDER"
    return getattr(internal, name, None)


class OtelSink:
    """Passes events to the application's logger provider; *render* makes the lines for stderr."""

    name = "otel"

    def __init__(self, render: Render) -> None:
        self.render = render
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)
        self._provider: Any = None
        self._logger: Any = None
        self._stderr: FdSink | None = None
        self.ends_by_itself = self._over = self._sent = False
        self.adopted: Callable[[], None] = lambda: None

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        """Emit one event, after those that are waiting."""
        if self._over or self._is_shut_down():
            return self._to_stderr(event, patience_s)
        if not self.adopt():
            room = len(self._waiting) < MOST_WAITING
            self._waiting.append(event)
            return room
        self.catch_up()
        self._emit(event)
        return True

    def adopt(self) -> bool:
        """Take the application's provider; False if it has none."""
        if self._logger is None and not self._over:
            provider = provider_of("_logs")
            if provider is not None:
                self._provider = provider
                self.ends_by_itself = getattr(provider, "_at_exit_handler", None) is not None
                self._logger = provider.get_logger("poolwitness", __version__)
                self.adopted()
        return self._logger is not None

    def catch_up(self) -> None:
        """Emit the events that wait for a provider."""
        for event in self._take_waiting():
            self._emit(event)

    def flush(self) -> None:
        """Let the provider send what it has, if any of it is ours."""
        flush = getattr(self._provider, "force_flush", None)
        if self._sent and flush is not None and not self._over and not self._is_shut_down():
            flush()

    def end(self) -> None:
        """The provider is shut down, or about to be: send what waits, and what follows, to stderr."""
        self._over = True
        for event in self._take_waiting():
            self._to_stderr(event, 0.0)

    def after_fork(self) -> None:
        """The parent reports what waits."""
        self._waiting.clear()
        self._over = False

    def _take_waiting(self) -> Iterator[dict[str, Any]]:
        while self._waiting:
            try:
                yield self._waiting.popleft()
            except IndexError as error:  # another thread was quicker
                let_pass(error)
                return

    def _is_shut_down(self) -> bool:
        # The SDK shows it in no other way. If a later SDK removes the attribute, such events are lost.
        return self.ends_by_itself and getattr(self._provider, "_at_exit_handler", self) is None

    def _emit(self, event: dict[str, Any]) -> None:
        self._sent = True
        api = sys.modules["opentelemetry._logs"]
        text, number = _SEVERITIES.get(event["level"], ("INFO", "INFO"))
        self._logger.emit(
            api.LogRecord(
                timestamp=_nanoseconds(event["timestamp"]),
                severity_text=text,
                severity_number=getattr(api.SeverityNumber, number),
                body=event["message"],
                event_name=event["event"],
                attributes={name: value for name, value in event.items() if name not in _ELSEWHERE},
            )
        )

    def _to_stderr(self, event: dict[str, Any], patience_s: float) -> bool:
        if self._stderr is None:
            self._stderr = stderr_sink(lambda terminal: self.render)
        return self._stderr is not None and self._stderr.accept(event, patience_s)


def _nanoseconds(timestamp: str) -> int:
    whole = calendar.timegm(time.strptime(timestamp[:19], "%Y-%m-%dT%H:%M:%S"))
    return whole * 1_000_000_000 + int(timestamp[20:26]) * 1000
