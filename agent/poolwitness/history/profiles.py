"""Lines that were written under a backend's names, under the default names again."""

from __future__ import annotations

from typing import Any

_SOURCE_LOCATION = "logging.googleapis.com/sourceLocation"
_NAME = ("event", "event_name", "event.action", "evt.name")
_NAMES = {
    # otel
    "body": "message",
    "severity_text": "level",
    "event_name": "event",
    # ecs
    "@timestamp": "timestamp",
    "log.level": "level",
    "event.action": "event",
    "event.sequence": "poolwitness.seq",
    "rule.id": "poolwitness.rule",
    "rule.name": "poolwitness.rule_name",
    # gcp
    "time": "timestamp",
    "severity": "level",
    # datadog
    "status": "level",
    "evt.name": "event",
    "db.instance": "db.namespace",
}
_LEVELS = {"warn": "warning"}


def restored(line: dict[str, Any]) -> dict[str, Any] | None:
    """The event that a line of any profile was.

    Args:
        line: parsed, its keys flat as they were written.

    Returns:
        None where it is not one of ours.
    """
    run = line.get("poolwitness.run_id")
    names = [line[name] for name in _NAME if name in line]
    if not isinstance(run, str) or not run or not names:
        return None
    if not isinstance(names[0], str) or not names[0].startswith("poolwitness."):
        return None
    if "event" in line and "timestamp" in line and "level" in line:
        return line
    event = {_NAMES.get(name, name): value for name, value in line.items()}
    location = line.get(_SOURCE_LOCATION)
    if isinstance(location, dict):
        event["code.file.path"] = location.get("file")
        event["code.function.name"] = location.get("function")
        number = location.get("line")
        event["code.line.number"] = int(number) if isinstance(number, str) and number[:9].isdecimal() else number
    level = str(event.get("level", "")).lower()
    event["level"] = _LEVELS.get(level, level)
    return event
