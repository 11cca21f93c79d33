"""A format file for lnav, the log viewer, from the table of fields: its SQL then knows every field's type."""

from __future__ import annotations

import json
from typing import Any

from poolwitness._version import SCHEMA_VERSION
from poolwitness.contract import FINDING, every_field
from poolwitness.report.events import EVENTS
from poolwitness.report.fields import TYPES

NAME = "poolwitness_log"
_LNAV_TYPES = {"text": "string", "integer": "integer", "number": "float", "boolean": "boolean", "texts": "json"}
_IDENTIFIERS = ("poolwitness.rule", "poolwitness.fingerprint", "poolwitness.run_id", "db.client.connection.pool.name")
# lnav has these under names of its own.
_TAKEN = ("timestamp", "level", "message")
# On the line itself, or of no use to a person.
_HIDDEN = ("event", "logger", "poolwitness.schema_version", "poolwitness.seq")


def lnav_format() -> str:
    """The text of the file: save it as ``~/.config/lnav/formats/installed/poolwitness_log.json``."""
    values: dict[str, Any] = {}
    for name, field_type in TYPES.items():
        if name in _TAKEN:
            continue
        values[name] = {"kind": _LNAV_TYPES[field_type]}
        if name in _IDENTIFIERS:
            values[name]["identifier"] = True
        if name in _HIDDEN or name == "poolwitness.rule":
            values[name]["hidden"] = True
    document = {
        "$schema": "https://lnav.org/schemas/format-v1.schema.json",
        NAME: {
            "title": "poolwitness",
            "description": f"What poolwitness reports about psycopg pools (events {SCHEMA_VERSION}, profile 'default')",
            "json": True,
            "hide-extra": False,
            "timestamp-field": "timestamp",
            "level-field": "level",
            "body-field": "message",
            "opid-field": "poolwitness.run_id",
            "level": {"error": "error", "warning": "warning", "info": "info"},
            "line-format": [
                {"field": "__timestamp__"},
                " ",
                {"field": "__level__", "min-width": 7},
                " ",
                {"field": "process.pid", "min-width": 6},
                " ",
                {"field": "poolwitness.rule", "min-width": 5, "default-value": ""},
                " ",
                {"field": "message"},
            ],
            "value": values,
            "sample": [{"line": _sample()}],
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _sample() -> str:
    finding = next(event for event in EVENTS if event.name == FINDING)
    sample = {field.sample_name: field.example for field in every_field(finding)}
    return json.dumps({**sample, "event": finding.name}, separators=(",", ":"))
