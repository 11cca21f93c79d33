"""The output ``otel``: events as OpenTelemetry log records, through the application's own logger provider.

Nothing of OpenTelemetry is imported here: without the application's having done so, there is no provider. Until it
has set one the events wait; where it never does, or has shut it down, they go to stderr as lines.
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
    """The provider that the application has set for ``_logs`` or ``metrics``; None where it has not.

    The API's own question would make one of what the environment names, and the application could then set none.
    """
    internal = sys.modules.get(f"opentelemetry.{signal}._internal")
    name = "_LOGGER_PROVIDER" if signal == "_logs" else "_METER_PROVIDER"
    return getattr(internal, name, None)


def _nothing() -> None:
    pass


class OtelSink:
    """Hands events to the application's logger provider.

    Args:
        render: makes the lines for stderr, where there is no provider.
    """

    name = "otel"

    def __init__(self, render: Render) -> None:
        self.render = render
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)
        self._provider: Any = None
        self._logger: Any = None
        self._stderr: FdSink | None = None
        self.ends_by_itself = self._over = self._sent = False
        self.adopted: Callable[[], None] = _nothing

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        """Emit one event, after those that were waiting."""
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
        """Whether the application has a provider."""
        if self._logger is None and not self._over:
            provider = provider_of("_logs")
            if provider is not None:
                self._provider = provider
                self.ends_by_itself = getattr(provider, "_at_exit_handler", None) is not None
                self._logger = provider.get_logger("poolwitness", __version__)
                self.adopted()
        return self._logger is not None

    def catch_up(self) -> None:
        """Emit what has waited for a provider."""
        for event in self._no_longer_waiting():
            self._emit(event)

    def flush(self) -> None:
        """Have the provider send what it has, where any of it is ours."""
        flush = getattr(self._provider, "force_flush", None)
        if self._sent and flush is not None and not self._over and not self._is_shut_down():
            flush()

    def end(self) -> None:
        """The provider is, or is about to be, shut down: what comes now, or still waits for one, is for stderr."""
        self._over = True
        for event in self._no_longer_waiting():
            self._to_stderr(event, 0.0)

    def after_fork(self) -> None:
        """What waits is the parent's to tell."""
        self._waiting.clear()
        self._over = False

    def _no_longer_waiting(self) -> Iterator[dict[str, Any]]:
        while self._waiting:
            try:
                yield self._waiting.popleft()
            except IndexError as error:  # another thread was quicker
                let_pass(error)
                return

    def _is_shut_down(self) -> bool:
        # The SDK has no other word for it. Where it is gone from a later one, such events are lost.
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
