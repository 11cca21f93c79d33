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

_decoder = json.JSONDecoder()


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
