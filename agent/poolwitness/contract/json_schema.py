"""The contract as a JSON Schema 2020-12: for all readers, and a narrower one for the agent's own tests."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

from poolwitness._version import SCHEMA_VERSION
from poolwitness.contract import every_field
from poolwitness.report.events import EVENTS, EventKind
from poolwitness.report.fields import ALWAYS, FIELDS, Field

FILE = "events.schema.json"
ID = f"urn:poolwitness:events:{SCHEMA_VERSION}"
_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer", "minimum": -(2**53), "maximum": 2**53},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": "string"}},
}


def shipped() -> str:
    """The schema in the package, as text."""
    return (resources.files("poolwitness.contract") / FILE).read_text(encoding="utf-8")


def build() -> dict[str, Any]:
    """The schema for readers: it accepts what it does not know, such as a field or an event of a later version."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": f"poolwitness events {SCHEMA_VERSION}",
        "description": "One line of poolwitness under the profile 'default'. Fields and events may be added in 1.x.",
        "type": "object",
        "required": list(ALWAYS),
        "properties": {field.name: _property(field) for field in FIELDS.values() if not field.is_family},
        "patternProperties": {_pattern(field): _property(field) for field in FIELDS.values() if field.is_family},
        "allOf": [
            {
                "if": {"properties": {"event": {"const": event.name}}, "required": ["event"]},
                "then": {"$ref": f"#/$defs/{event.name}"},
            }
            for event in EVENTS
        ],
        "$defs": {event.name: _definition(event) for event in EVENTS},
    }


def strict() -> dict[str, Any]:
    """The schema for the agent's own tests: every field is described for its event, every value is a known one."""
    schema = build()
    schema["$id"] = f"{ID}:strict"
    schema["properties"]["event"]["enum"] = [event.name for event in EVENTS]
    for event in EVENTS:
        definition = schema["$defs"][event.name]
        definition["additionalProperties"] = False
        for field in every_field(event):
            if field.known:
                definition["properties"][field.name] = {"enum": list(field.known)}
    return schema


def as_text(schema: dict[str, Any]) -> str:
    """A schema as it is written into the package."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _property(field: Field) -> dict[str, Any]:
    schema = {"description": field.meaning + (" (seconds)" if field.unit == "s" else ""), **_TYPES[field.type]}
    if field.pattern:
        schema["pattern"] = field.pattern
    return {**schema, "examples": [field.example]}


def _pattern(field: Field) -> str:
    return f"^{re.escape(field.name[:-1])}[^.]+$"


def _definition(event: EventKind) -> dict[str, Any]:
    definition: dict[str, Any] = {"description": event.when}
    if event.required:
        definition["required"] = list(event.required)
    definition["properties"] = {field.name: True for field in every_field(event) if not field.is_family}
    families = {_pattern(field): True for field in every_field(event) if field.is_family}
    if families:
        definition["patternProperties"] = families
    return definition
