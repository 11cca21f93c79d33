"""Extract our events from a line of any log: after a prefix, inside other JSON, or several on one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from poolwitness.report.profiles import restored

Event = dict[str, Any]

MAX_DEPTH = 4  # Docker's line in a collector's line in a queue's message
MAX_OBJECTS = 64
MAX_VALUES = 200
# Text that only our lines contain; looked for after backslashes have been removed.
_MARKERS = ('"poolwitness.run_id"', '"poolwitness.schema_version"', '"event":"poolwitness.')

# How a line of ours begins, and text that only it contains, as long as no other program has reformatted it.
START = '{"timestamp":"'
_UNCHANGED = ('"logger":"poolwitness"', '"event":"poolwitness.')

_decoder = json.JSONDecoder()


def event_text(line: str) -> str | None:
    """The text of the only event of a line, as the agent wrote it: after a prefix, or in one string of a JSON object.

    It is an event if it is valid JSON. None if the line has to be parsed by `events_in`.
    """
    text = _tail(line)
    if text is not None or not line.startswith('{"'):
        return text
    try:
        outer = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if len(outer) > MAX_VALUES or any("poolwitness" in key for key in outer):
        return None
    inside = [value for value in outer.values() if isinstance(value, (dict, list)) or "poolwitness" in str(value)]
    return _tail(inside[0]) if len(inside) == 1 and isinstance(inside[0], str) else None


def _tail(text: str) -> str | None:
    start = text.rfind(START)
    if start < 0 or "poolwitness" in text[:start]:
        return None
    tail = text[start:].rstrip()
    # An object inside another object ends with two braces.
    if not tail.endswith("}") or tail.endswith("}}") or "\n" in tail or "\r" in tail:
        return None
    return tail if all(marker in tail for marker in _UNCHANGED) else None


def events_in(line: str, depth: int = 0) -> Iterator[Event]:
    """Our events in a line, in order; *depth* is how deeply the line was nested in other JSON."""
    position = line.find("{")
    for _ in range(MAX_OBJECTS):
        if position < 0:
            return
        try:
            value, position = _decoder.raw_decode(line, position)
        except (ValueError, RecursionError):
            # Truncated, or not JSON: another object may begin inside.
            position = line.find('{"', position + 1)
            continue
        yield from _events_of(value, depth)
        position = line.find("{", position)


def looks_like_fragment(line: str) -> bool:
    """Whether a line without a complete event contains a part of one."""
    plain = line.replace("\\", "")
    return any(marker in plain for marker in _MARKERS)


def _events_of(value: Any, depth: int) -> Iterator[Event]:
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        return
    event = restored(value) or {}
    name, run = event.get("event"), event.get("poolwitness.run_id")
    if isinstance(name, str) and name.startswith("poolwitness.") and isinstance(run, str) and run:
        yield event
        return
    for inner in list(value.values())[:MAX_VALUES]:
        if isinstance(inner, dict):
            yield from _events_of(inner, depth + 1)
        elif isinstance(inner, str) and "poolwitness" in inner:
            yield from events_in(inner, depth + 1)
