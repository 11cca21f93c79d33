"""Find our events in a line of anybody's log: behind a prefix, inside other JSON, cut short, or run together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from poolwitness.report.profiles import restored

Event = dict[str, Any]

DEEPEST = 4  # Docker's line in a collector's line in a queue's message
MOST_TRIES = 64
MOST_VALUES = 200
# What only a line of ours has; backslashes are gone when they are looked for.
MARKS = ('"poolwitness.run_id"', '"poolwitness.schema_version"', '"event":"poolwitness.')

# How a line of ours begins and what only it has, where nobody has written it anew.
HEAD = '{"timestamp":"'
_AS_WRITTEN = ('"logger":"poolwitness"', '"event":"poolwitness.')

_decoder = json.JSONDecoder()


def bare(line: str) -> str | None:
    """The one event that a line has, as it was written: behind a prefix, or in one string of a JSON object.

    Args:
        line: without its end.

    Returns:
        Its text, which is an event if it is JSON; None where the line needs the closer look of `events_in`.
    """
    text = _tail(line)
    if text is not None or not line.startswith('{"'):
        return text
    try:
        outer = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if len(outer) > MOST_VALUES or any("poolwitness" in key for key in outer):
        return None
    inside = [value for value in outer.values() if isinstance(value, (dict, list)) or "poolwitness" in str(value)]
    return _tail(inside[0]) if len(inside) == 1 and isinstance(inside[0], str) else None


def _tail(text: str) -> str | None:
    start = text.rfind(HEAD)
    if start < 0 or "poolwitness" in text[:start]:
        return None
    tail = text[start:].rstrip()
    # An object inside an object would end with two.
    if not tail.endswith("}") or tail.endswith("}}") or "\n" in tail or "\r" in tail:
        return None
    return tail if all(mark in tail for mark in _AS_WRITTEN) else None


def events_in(line: str, depth: int = 0) -> Iterator[Event]:
    """Our events in a line, in their order.

    Args:
        line: without its end.
        depth: how deep in other JSON it was found.
    """
    position = line.find("{")
    for _ in range(MOST_TRIES):
        if position < 0:
            return
        try:
            value, position = _decoder.raw_decode(line, position)
        except (ValueError, RecursionError):
            # Cut short, or not JSON at all: another may begin inside.
            position = line.find('{"', position + 1)
            continue
        yield from _events_of(value, depth)
        position = line.find("{", position)


def looks_ours(line: str) -> bool:
    """Whether a line without an event of ours is what is left of one."""
    plain = line.replace("\\", "")
    return any(mark in plain for mark in MARKS)


def _events_of(value: Any, depth: int) -> Iterator[Event]:
    if not isinstance(value, dict) or depth > DEEPEST:
        return
    event = restored(value)
    if event is not None and _is_whole(event):
        yield event
        return
    for inner in list(value.values())[:MOST_VALUES]:
        if isinstance(inner, dict):
            yield from _events_of(inner, depth + 1)
        elif isinstance(inner, str) and "poolwitness" in inner:
            yield from events_in(inner, depth + 1)


def _is_whole(event: Event) -> bool:
    name, run = event.get("event"), event.get("poolwitness.run_id")
    return isinstance(name, str) and name.startswith("poolwitness.") and isinstance(run, str) and bool(run)
