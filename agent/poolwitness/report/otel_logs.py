"""The output ``otel``: events as OpenTelemetry log records, through the application's own logger provider.

Nothing of OpenTelemetry is imported here: without the application's having done so, there is no provider. Until it
has set one the events wait; where it never does they go to stderr as lines.
"""

from __future__ import annotations

import atexit
import calendar
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from poolwitness import __version__
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
        self._shutdown: Callable[[], None] | None = None
        self._stderr: FdSink | None = None
        self._over = False

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        """Emit one event, after those that were waiting."""
        if self._logger is None and not self._adopt():
            if self._over:
                return self._to_stderr(event, patience_s)
            room = len(self._waiting) < MOST_WAITING
            self._waiting.append(event)
            return room
        if self._shutdown is not None and self._provider._at_exit_handler is None:
            # The application has shut its provider down.
            return self._to_stderr(event, patience_s)
        while self._waiting:
            self._emit(self._waiting.popleft())
        self._emit(event)
        return True

    def end(self) -> None:
        """The verdict is out: let the provider be shut down now, or write what still waits for one."""
        self._over = True
        if self._logger is None:
            while self._waiting:
                self._to_stderr(self._waiting.popleft(), 0.0)
        shutdown, self._shutdown = self._shutdown, None
        if shutdown is not None:
            shutdown()

    def close(self) -> None:
        """Give the provider's end back to the interpreter."""
        shutdown, self._shutdown = self._shutdown, None
        if shutdown is not None:
            atexit.register(shutdown)

    def _adopt(self) -> bool:
        provider = provider_of("_logs")
        if provider is None:
            return False
        self._provider = provider
        self._logger = provider.get_logger("poolwitness", __version__)
        if getattr(provider, "_at_exit_handler", None) is not None:
            # The provider would be shut down before the verdict, which is taken after the program's own clean-up.
            self._shutdown = provider.shutdown
            atexit.unregister(provider.shutdown)
        return True

    def _emit(self, event: dict[str, Any]) -> None:
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
