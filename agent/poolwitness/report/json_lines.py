"""Renders an event as one line: strict JSON of at most 4,096 bytes with its newline, trimmed where it is too long."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from poolwitness.report.fields import ALWAYS

LONGEST_LINE = 4096  # PIPE_BUF on Linux: up to here one write to a pipe is atomic
_FIRST_TO_GO = (
    "code.stacktrace",
    "poolwitness.worker.stacktrace",
    "poolwitness.waits_stacktrace",
    "poolwitness.holder_stacktrace",
    "poolwitness.pool.threads",
    "message",
    "poolwitness.fix",
)
# Readers count on these: shortened if need be, and never left out.
_KEPT = {*ALWAYS, "poolwitness.truncated", "poolwitness.verdict"} | {
    f"poolwitness.{name}" for name in ("rule", "rule_name", "confidence", "fix", "fingerprint")
}

Event = dict[str, Any]


def _dumps(event: Any, **_: Any) -> str:
    return json.dumps(event, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


_renderer = structlog.processors.JSONRenderer(serializer=_dumps)


class JsonRenderer:
    """Renders an event as one line; *rename* gives it under a backend's names, the last thing before it is written."""

    def __init__(self, rename: Callable[[Event], Event] | None = None) -> None:
        self.rename = rename

    def __call__(self, event: Event) -> bytes:
        """The event as one line; what does not fit is cut out of the middle of its longest values."""
        line = self._encode(event)
        if len(line) <= LONGEST_LINE:
            return line
        event = {**event, "poolwitness.truncated": True}
        for key in _FIRST_TO_GO:
            excess = len(self._encode(event)) - LONGEST_LINE
            while excess > 0 and (saved := _shorten(event, key)):
                excess -= saved
        while len(line := self._encode(event)) > LONGEST_LINE:
            _cut(event, len(line) - LONGEST_LINE)
        return line

    def _encode(self, event: Event) -> bytes:
        text = _renderer(None, "", event if self.rename is None else self.rename(event))
        return (text if isinstance(text, bytes) else text.encode("ascii")) + b"\n"


render_json = JsonRenderer()


def _cut(event: Event, excess: int) -> None:
    """Shorten whatever is longest, and leave out what cannot be shortened, until *excess* bytes are gone."""
    sizes = {key: _size(key) + _size(value) for key, value in event.items()}
    fixed: set[str] = set()
    while excess > 0 and (left := sizes.keys() - fixed):
        key = max(left, key=sizes.__getitem__)
        saved = _shorten(event, key)
        if not saved and key in _KEPT:
            fixed.add(key)
            continue
        if not saved:
            del event[key]
            saved = sizes.pop(key)
        else:
            sizes[key] -= saved
        excess -= saved
    if excess > 0:  # only what readers count on is left, and no event of ours is that long
        del event[max(event, key=sizes.__getitem__)]


def _size(value: Any) -> int:
    return len(_dumps(value))


def _shorten(event: Event, key: str) -> int:
    """Take a part of a value away; the bytes that this saves, 0 where it is as short as it can be."""
    before = event.get(key)
    for after in _shorter(before):
        saved = _size(before) - _size(after)
        if saved > 0:
            event[key] = after
            return saved
    return 0


def _shorter(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        parts = value.split("\n")
        if len(parts) > 5:
            # The outermost frames show the program and the innermost the fault: the middle goes first.
            kept = [part for part in parts if part != "..."]
            middle = len(kept) // 2
            yield "\n".join([*kept[:middle], "...", *kept[middle + 1 :]])
        if len(value) > 40:
            yield value[: len(value) // 2] + "…"
    elif isinstance(value, (list, tuple)) and value:
        yield list(value)[: len(value) // 2]
