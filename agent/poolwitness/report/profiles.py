"""Renames the fields of events for a backend: the last step before a line, loaded only if a profile is chosen.

A profile renames fields, adds what its backend demands beside, and can be taken back: `restored`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from poolwitness.report.redact import LARGEST_EXACT

Event = dict[str, Any]

ECS_VERSION = "9.0.0"
SOURCE_LOCATION = "logging.googleapis.com/sourceLocation"
# What an event took, where it took time, by the event's name.
_DURATIONS = {
    "poolwitness.pool.closed": "poolwitness.pool.open_s",
    "poolwitness.finding.resolved": "poolwitness.held_s",
}


class Profile(NamedTuple):
    """One backend.

    Attributes:
        names: the backend's name for a field, where it has another.
        levels: the backend's word for a level, where it has another.
        demands: further fields, made of the event under its default names.
        demanded: the names of those, which `restored` takes away.
    """

    name: str
    names: dict[str, str]
    levels: dict[str, str]
    demands: Callable[[Event], Event]
    demanded: tuple[str, ...] = ()

    def rename(self, event: Event) -> Event:
        """An event, which is left as it is, under this backend's names."""
        names, demands = self.names, self.demands(event)
        renamed = {}
        for name, value in event.items():
            if name == "level":
                value = self.levels.get(value, value)
            if name not in _MOVED or SOURCE_LOCATION not in demands:
                renamed[names.get(name, name)] = value
        renamed.update(demands)
        return renamed

    def restore(self, line: Event) -> Event:
        """The event under its default names again."""
        back = {theirs: ours for ours, theirs in self.names.items()}
        event = {}
        for name, value in line.items():
            if name not in self.demanded:
                event[back.get(name, name)] = value
            elif name == SOURCE_LOCATION and isinstance(value, dict):
                event.update(_moved_back(value))
        words = {theirs: ours for ours, theirs in self.levels.items()}
        level = event.get("level")
        if isinstance(level, str):
            event["level"] = words.get(level, level)
        return event


def _otel(event: Event) -> Event:
    # Severity numbers of the log data model.
    numbers = {"info": 9, "warning": 13, "error": 17}
    return {"severity_number": numbers.get(event.get("level", ""), 9)}


def _ecs(event: Event) -> Event:
    name = str(event.get("event"))
    demands: Event = {
        "ecs.version": ECS_VERSION,
        "event.kind": "state" if name.endswith(".state") else "event",
        "event.category": ["database"],
        "event.type": ["error" if name == "poolwitness.finding" else "info"],
        "event.dataset": "poolwitness.events",
    }
    duration_ns = _duration_ns(event)
    if duration_ns is not None:
        demands["event.duration"] = duration_ns
    return demands


def _gcp(event: Event) -> Event:
    # The line is a text too: JSON has no 64-bit integers, and the protocol spells them.
    location = {part: str(event[name]) for name, part in _MOVED.items() if name in event}
    return {SOURCE_LOCATION: location} if location else {}


def _datadog(event: Event) -> Event:
    duration_ns = _duration_ns(event)
    return {} if duration_ns is None else {"duration": duration_ns}


def _duration_ns(event: Event) -> int | None:
    seconds = event.get(_DURATIONS.get(str(event.get("event")), ""))
    if not isinstance(seconds, (int, float)):
        return None
    # The product may be infinite.
    return round(max(0.0, min(float(LARGEST_EXACT), seconds * 1e9)))


_MOVED = {"code.file.path": "file", "code.line.number": "line", "code.function.name": "function"}


def _moved_back(location: Event) -> Event:
    event: Event = {name: location[part] for name, part in _MOVED.items() if part in location}
    line = event.pop("code.line.number", None)
    if not isinstance(line, str):
        return event if line is None else {**event, "code.line.number": line}
    return {**event, "code.line.number": int(line)} if line.isdecimal() else event


# fmt: off
_TABLE = (
    Profile(
        "otel", {"message": "body", "level": "severity_text", "event": "event_name", "logger": "otel.scope.name"},
        {"info": "INFO", "warning": "WARN", "error": "ERROR"}, _otel, ("severity_number",),
    ),
    Profile(
        "ecs",
        {
            "timestamp": "@timestamp", "level": "log.level", "logger": "log.logger", "event": "event.action",
            "poolwitness.seq": "event.sequence", "poolwitness.rule": "rule.id", "poolwitness.rule_name": "rule.name",
            "exception.type": "error.type", "exception.message": "error.message", "db.user": "user.name",
        },
        {}, _ecs,
        ("ecs.version", "event.kind", "event.category", "event.type", "event.dataset", "event.duration"),
    ),
    Profile(
        "gcp", {"timestamp": "time", "level": "severity"},
        {"info": "INFO", "warning": "WARNING", "error": "ERROR"}, _gcp, (SOURCE_LOCATION,),
    ),
    Profile(
        "datadog",
        {
            "level": "status", "logger": "logger.name", "event": "evt.name", "exception.type": "error.kind",
            "exception.message": "error.message", "db.namespace": "db.instance",
        },
        {}, _datadog, ("duration",),
    ),
)
# fmt: on
PROFILES = {profile.name: profile for profile in _TABLE}


def restored(line: Event) -> Event | None:
    """A parsed line of any profile as the event that it was; None where it is not one of the agent's."""
    if line.get("logger") == "poolwitness":
        return PROFILES["gcp"].restore(line) if "severity" in line else line
    for profile in PROFILES.values():
        if line.get(profile.names.get("logger", "logger")) == "poolwitness":
            return profile.restore(line)
    return None
