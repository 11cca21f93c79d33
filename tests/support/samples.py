"""One event of each name with every field that it may have, as the contract's examples say."""

from __future__ import annotations

from typing import Any

from poolwitness.contract import every_field
from poolwitness.report.events import EVENTS, EventKind


def full(event: EventKind) -> dict[str, Any]:
    """An event with all of its fields."""
    sample = {field.sample_name: field.example for field in every_field(event)}
    return {**sample, "event": event.name}


def own_fields(event: EventKind) -> dict[str, Any]:
    """What a pipeline is given for it: all but what the envelope itself says."""
    given = full(event)
    for name in ("timestamp", "event", "logger", "process.pid", "poolwitness.schema_version", "poolwitness.run_id"):
        del given[name]
    del given["poolwitness.seq"], given["poolwitness.truncated"]
    return given


SAMPLES = {event.name: full(event) for event in EVENTS}
EVENTS_BY_NAME = {event.name: event for event in EVENTS}
