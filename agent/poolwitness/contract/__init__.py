"""What is derived from the tables of fields and events: a JSON Schema, a page of documentation, a format for lnav.

A program under the agent never loads this package.
"""

from __future__ import annotations

from poolwitness.diagnose.registry import RULES
from poolwitness.report.events import SOMETIMES, EventKind
from poolwitness.report.fields import ALWAYS, FIELDS, Field

FINDING = "poolwitness.finding"


def rows(names: tuple[str, ...]) -> tuple[Field, ...]:
    """The rows of some fields.

    Raises:
        KeyError: one is not in the table.
    """
    return tuple(FIELDS[name] for name in names)


def own_fields(event: EventKind) -> tuple[Field, ...]:
    """What an event may have beside what every event has."""
    names = event.fields
    if event.name == FINDING:
        names += tuple(name for name in rules_by_field() if name not in names)
    return rows(names)


def every_field(event: EventKind) -> tuple[Field, ...]:
    """All that an event may have."""
    return (*rows(ALWAYS), *own_fields(event), *rows(SOMETIMES))


def rules_by_field() -> dict[str, list[str]]:
    """The codes of the rules that add a field to their finding, by the field's name."""
    found: dict[str, list[str]] = {}
    for code, rule in sorted(RULES.items()):
        for name in rule.fields:
            found.setdefault(name, []).append(code)
    return found
