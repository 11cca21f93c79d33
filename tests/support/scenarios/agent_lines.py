"""Tell the agent's lines from the program's on stderr, and hold each to what a log store demands."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.support.validation import validate

LINE_BYTES = 4096
ALWAYS: dict[str, type | tuple[type, ...]] = {
    "timestamp": str,
    "level": str,
    "event": str,
    "message": str,
    "logger": str,
    "process.pid": int,
    "poolwitness.schema_version": (str, int),
    "poolwitness.run_id": str,
    "poolwitness.seq": int,
}

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

Event = dict[str, Any]


def split(stderr: bytes) -> tuple[list[Event], list[str]]:
    """The agent's events and the program's own lines.

    Raises:
        AssertionError: a line looks like one of the agent's and is broken, too long or incomplete.
    """
    events: list[Event] = []
    own: list[str] = []
    for raw in stderr.splitlines(keepends=True):
        event = _parse(raw)
        if event is None or event.get("logger") != "poolwitness":
            line = raw.decode(errors="surrogateescape").rstrip("\n")
            assert '"logger":"poolwitness"' not in line.replace(" ", ""), f"a broken line of the agent's: {line}"
            own.append(line)
            continue
        assert len(raw) <= LINE_BYTES, f"a line of {len(raw)} bytes: {raw!r}"
        assert raw.endswith(b"\n"), f"a line without an end: {raw!r}"
        _check(event)
        events.append(event)
    for pid in {event["process.pid"] for event in events}:
        _check_order([event for event in events if event["process.pid"] == pid])
    return events, own


def _parse(raw: bytes) -> Event | None:
    if not raw.startswith(b"{"):
        return None
    try:
        parsed = json.loads(raw, object_pairs_hook=_no_duplicates, parse_constant=_not_json)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> Event:
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key is there twice: {sorted(keys)}"
    return dict(pairs)


def _not_json(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def _check(event: Event) -> None:
    for key, kind in ALWAYS.items():
        assert isinstance(event.get(key), kind), f"{key} is {event.get(key)!r} in {event}"
    assert _TIMESTAMP.fullmatch(event["timestamp"]), event
    validate(event)


def _check_order(events: list[Event]) -> None:
    assert len({event["poolwitness.run_id"] for event in events}) == 1, "one process, two run ids"
    numbers = [event["poolwitness.seq"] for event in events]
    assert sorted(numbers) == list(range(min(numbers), min(numbers) + len(numbers))), f"lines are missing: {numbers}"
