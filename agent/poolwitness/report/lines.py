"""One event, one line: strict JSON of at most 4,096 bytes with its newline, trimmed where it is too long."""

from __future__ import annotations

import json
from typing import Any

import structlog

LONGEST_LINE = 4096  # PIPE_BUF on Linux: up to here one write to a pipe is atomic
_TRIMMABLE = (
    "code.stacktrace",
    "poolwitness.worker.stacktrace",
    "poolwitness.waits_stacktrace",
    "poolwitness.pool.threads",
    "message",
    "poolwitness.fix",
)


def _dumps(event: dict[str, Any], **_: Any) -> str:
    return json.dumps(event, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


_renderer = structlog.processors.JSONRenderer(serializer=_dumps)


def render_json(event: dict[str, Any]) -> bytes:
    """The event as one line; what does not fit is cut out of the middle of its longest values."""
    line = _encode(event)
    if len(line) <= LONGEST_LINE:
        return line
    event = dict(event)
    event["poolwitness.truncated"] = True
    for key in _TRIMMABLE:
        while len(line := _encode(event)) > LONGEST_LINE and _shorten(event, key):
            pass
    # Whatever is still the longest, until it fits: keys and numbers alone are far below the limit.
    while len(line := _encode(event)) > LONGEST_LINE:
        longest = max(event, key=lambda key: len(_dumps({key: event[key]})))
        if not _shorten(event, longest):
            del event[longest]
    return line


def _encode(event: dict[str, Any]) -> bytes:
    text = _renderer(None, "", event)
    return (text if isinstance(text, bytes) else text.encode("ascii")) + b"\n"


def _shorten(event: dict[str, Any], key: str) -> bool:
    value = event.get(key)
    if isinstance(value, str):
        parts = value.split("\n")
        if len(parts) > 5:
            # The outermost frames tell the program, the innermost the fault: the middle goes first.
            middle = len(parts) // 2
            kept = [part for part in parts if part != "..."]
            middle = len(kept) // 2
            event[key] = "\n".join([*kept[:middle], "...", *kept[middle + 1 :]])
            return True
        if len(value) > 40:
            event[key] = value[: len(value) // 2] + "…"
            return True
        return False
    if isinstance(value, (list, tuple)) and value:
        event[key] = list(value)[: len(value) // 2]
        return True
    return False
