"""The private structlog pipeline: adds the envelope, cleans the values and passes each event to every output.

``structlog.configure()`` is never called and has no effect here: the logger is wrapped with its own processors.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import time
from collections.abc import Iterable
from typing import Any

import structlog

from poolwitness._version import SCHEMA_VERSION
from poolwitness.guards import let_pass
from poolwitness.model.startup import clock
from poolwitness.report.descriptors import takes_lines, write_at_once
from poolwitness.report.fields import ALWAYS, FIELDS, field_type
from poolwitness.report.json_lines import render_json
from poolwitness.report.redact import LARGEST_EXACT, clean
from poolwitness.report.sinks import FdSink, Reentrance, Sink

# The agent's own and clean.
_OURS = frozenset(ALWAYS) - {"level", "message"}
YEAR_9999 = 253_370_764_800.0


class Pipeline:
    """Writes events to sinks, in order, and counts what could not be written."""

    def __init__(self, sinks: list[Sink]) -> None:
        self.sinks = sinks
        self.run_id = new_run_id()
        self.seq = itertools.count(1)
        self.lost = 0
        self.patience_s = 0.0
        self._reentrance = Reentrance()
        self._broken_reported = False
        self._logger = structlog.wrap_logger(
            self,
            processors=[self._envelope, _clean_values, _keep_as_dict],
            wrapper_class=structlog.BoundLogger,
            context_class=dict,
            cache_logger_on_first_use=False,
        )

    def emit(self, name: str, event: dict[str, Any]) -> None:
        """Send one event through the processors to every sink; ``level`` and ``message`` are among its fields."""
        # Not as keywords: a field may be called anything.
        self._logger.msg(name, fields=event)

    def msg(self, event: dict[str, Any]) -> None:
        """The end of the pipeline: each sink in turn; one that fails does not affect the others."""
        if self._reentrance.inside:
            self.lost += 1
            return
        self._reentrance.inside = True
        try:
            for sink in list(self.sinks):
                try:
                    written = sink.accept(event, self.patience_s)
                except Exception as error:  # noqa: BLE001 - a sink's failure is its own: EPIPE, a handler that raises
                    let_pass(error)
                    written = False
                    self._report_broken(sink, error)
                if not written:
                    self.lost += 1
        finally:
            self._reentrance.inside = False

    def _report_broken(self, sink: Sink, error: Exception) -> None:
        """Report once, on descriptor 2, that a descriptor cannot be written to for a reason that is not its own."""
        if self._broken_reported or isinstance(error, OSError) or not isinstance(sink, FdSink):
            return
        self._broken_reported = True
        event = {
            "level": "warning",
            "message": f"output {sink.name!r} cannot be written ({type(error).__name__}); set POOLWITNESS_OUTPUT to another",
        }
        line = json.dumps(self.envelope("poolwitness.agent.failed", event)).encode("ascii") + b"\n"
        try:
            if takes_lines(2):
                write_at_once(2, line)
        except Exception as second:  # noqa: BLE001 - there is no other way to report it
            let_pass(second)

    def write_plain(self, name: str, event: dict[str, Any]) -> None:
        """Write one event as JSON, without the processors and the renderers, which have failed.

        Its fields are plain values, short, and of our own making.
        """
        line = json.dumps(self.envelope(name, event)).encode("ascii") + b"\n"
        for sink in self.fd_sinks():
            sink.write(line, self.patience_s)

    def fd_sinks(self) -> list[FdSink]:
        """The sinks that can still be written to when everything else has failed."""
        return [sink for sink in self.sinks if isinstance(sink, FdSink)]

    def close(self) -> None:
        """Close the descriptors."""
        for sink in self.fd_sinks():
            sink.close()

    def after_fork(self) -> None:
        """A new run in a forked child."""
        self.run_id = new_run_id()
        self.seq = itertools.count(1)
        self.lost = 0

    def envelope(self, name: str, event: dict[str, Any], seq: int | None = None) -> dict[str, Any]:
        """The fields that every event has, in front of its own; the next number where none is given."""
        at, pid = event.get("timestamp"), event.get("process.pid")
        envelope = {
            "timestamp": timestamp(at if type(at) is float and 0.0 < at < YEAR_9999 else clock.now()),
            "level": event.get("level", "info"),
            "event": name,
            "message": event.get("message", ""),
            "logger": "poolwitness",
            "process.pid": pid if type(pid) is int and 0 <= pid <= LARGEST_EXACT else os.getpid(),
            "poolwitness.schema_version": SCHEMA_VERSION,
            "poolwitness.run_id": self.run_id,
            "poolwitness.seq": next(self.seq) if seq is None else seq,
        }
        return envelope | {key: value for key, value in event.items() if key not in envelope}

    def _envelope(self, _logger: Any, _method: str, event: Any) -> Any:
        return self.envelope(event["event"], event["fields"])


def _clean_values(_logger: Any, _method: str, event: Any) -> Any:
    return prepared(event)


def _keep_as_dict(_logger: Any, _method: str, event: Any) -> Any:
    # A tuple of (args, kwargs) is passed on as it is: each sink renders for itself.
    return (event,), {}


def prepared(event: dict[str, Any]) -> dict[str, Any]:
    """An event as it may be rendered: clean, and every field of its type.

    Raises:
        TypeError: it cannot be cleaned, and is not written.
    """
    cleaned = clean({name: value for name, value in event.items() if name not in _OURS})
    if not isinstance(cleaned, dict):
        raise TypeError("an event that cannot be cleaned is not written")
    head = {name: event[name] if name in _OURS else cleaned.pop(name, "") for name in ALWAYS if name in event}
    return _conform(head | cleaned)


# The pattern of a text, and what replaces one that does not match it.
_FORMS = {field.name: (field.pattern, field.fallback) for field in FIELDS.values() if field.fallback}


def _conform(event: dict[str, Any]) -> dict[str, Any]:
    """An event of plain JSON values, as `redact.clean` leaves them, in which every field has its type.

    What is not a number is left out of a number's field, and what is not a text becomes its JSON in a text's. Nothing
    is null.
    """
    conformed = {}
    for name, value in event.items():
        wanted = field_type(name)
        if wanted == "text":
            value = _text(value)
            form = _FORMS.get(name)
            if form is not None and not re.fullmatch(form[0], value):
                value = form[1]
        elif wanted is not None:
            value = _CONVERT[wanted](value)
        if value is not None:
            conformed[name] = value
    return conformed


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False)[:200]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _integer(value: Any) -> int | None:
    # `clean` made a float of what is past the limit; others are exact as floats.
    number = _number(value)
    return int(max(-LARGEST_EXACT, min(LARGEST_EXACT, number))) if number is not None else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in value] if isinstance(value, list) else [_text(value)]


_CONVERT = {"integer": _integer, "number": _number, "boolean": _boolean, "texts": _texts}


class _Lines:
    """A sink that keeps the lines."""

    name = "lines"

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        self.written.append(render_json(event))
        return True


def as_lines(events: Iterable[tuple[str, dict[str, Any]]]) -> bytes:
    """Events, by their names and fields, as JSON lines in a run of their own."""
    lines = _Lines()
    pipeline = Pipeline([lines])
    for name, event in events:
        pipeline.emit(name, event)
    return b"".join(lines.written)


def new_run_id() -> str:
    """16 hex digits, new for every process."""
    return os.urandom(8).hex()


def timestamp(now: float) -> str:
    """UTC with six digits and a Z."""
    whole = int(now)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((now - whole) * 1e6):06d}Z"
