"""The page about events for people: docs/events.md."""

from __future__ import annotations

import json

from poolwitness._version import SCHEMA_VERSION
from poolwitness.contract import FINDING, rows, rules_by_field
from poolwitness.report.events import EVENTS, POOL, SOMETIMES, EventKind
from poolwitness.report.fields import ALWAYS, FIELDS, Field
from poolwitness.report.profiles import PROFILES

_TYPES = {"text": "text", "integer": "integer", "number": "number", "boolean": "boolean", "texts": "list of texts"}
_HEAD = f"""\
# Events and their fields

One JSON object a line, at most 4,096 bytes with its newline. This page is generated from the tables that the agent
itself uses (`make generate`), and a test fails if it is out of date. The package has the same as a JSON Schema 2020-12:
`poolwitness schema` prints it. This is version {SCHEMA_VERSION}.

A field has the same type in every event. Nothing is null: what is not known is absent. Seconds are floats, and
their names end in `_s`. No integer is past 2^53. No name is both a field and the beginning of another.

## What may change

| in | what |
| --- | --- |
| 1.x, any release | a new event; a new field in an event; a new value where values are listed; another wording of `message` and `poolwitness.fix`; a field that was always there stays |
| 2.0 | anything else: a field or an event that is renamed, removed, or given another type, unit or meaning |

So read what you know and ignore the rest. Identify faults by `poolwitness.rule` and `poolwitness.fingerprint`, never by the
text of `message`. The schema in the package does the same: it accepts what it does not know. The version of a
line is its `poolwitness.schema_version`.
"""
_PROFILES = """\
## Names under each profile

`POOLWITNESS_PROFILE` chooses the names in JSON lines on stderr and in files. A field that is not in this table, or has an empty
cell there, keeps its name. The outputs `logging` and `structlog` use the default names, since the application formats those
lines itself. So do `poolwitness postmortem`, `poolwitness dump` and the one line that is written if the agent cannot start.

{table}

Added, because the backend wants it:

{added}

`gcp` moves `code.file.path`, `code.line.number` and `code.function.name` into `logging.googleapis.com/sourceLocation`.
`event.duration` (`ecs`) and `duration` (`datadog`) are nanoseconds, where an event took time. `code.*` is the line to open, not the line
that logged, so `ecs` leaves `log.origin.*` alone.
"""


def events_page() -> str:
    """The whole page."""
    parts = [_HEAD, "## Every event\n", _table(rows(ALWAYS), ALWAYS)]
    parts += ["And where they apply:\n", _table(rows(SOMETIMES))]
    parts += ["## About a pool\n\nAn event that has *a pool's fields* may have:\n", _table(rows(POOL))]
    for event in EVENTS:
        parts.append(_section(event))
        if event.name == FINDING:
            parts.append(_rules())
    parts.append(_profiles())
    return "\n".join(parts)


def _profiles() -> str:
    heads = ["default", *PROFILES]
    renamed = [name for name in FIELDS if any(name in profile.names for profile in PROFILES.values())]
    rows = [f"| {' | '.join(f'`{head}`' for head in heads)} |", f"|{' --- |' * len(heads)}"]
    for name in renamed:
        cells = [f"`{profile.names[name]}`" if name in profile.names else "" for profile in PROFILES.values()]
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    added = [
        f"- `{profile.name}`: {', '.join(f'`{name}`' for name in profile.demanded)}"
        + (f"; levels are {', '.join(f'`{word}`' for word in profile.levels.values())}" if profile.levels else "")
        for profile in PROFILES.values()
    ]
    return _PROFILES.format(table="\n".join(rows), added="\n".join(added))


def _section(event: EventKind) -> str:
    has_pool = set(POOL) <= set(event.fields)
    own = rows(tuple(name for name in event.fields if not has_pool or name not in POOL))
    text = f"## `{event.name}`\n\n{event.when}"
    if has_pool:
        text += " It has a pool's fields."
    if not own:
        return text + ("" if event.fields else " It has no fields of its own.") + "\n"
    return f"{text}\n\n{_table(own, event.required)}"


def _rules() -> str:
    rules = rules_by_field()
    lines = ["What rules add:\n", "| field | type | meaning | example | rules |", "| --- | --- | --- | --- | --- |"]
    lines += [f"{_row(field)} {', '.join(rules[field.name])} |" for field in rows(tuple(rules))]
    return "\n".join(lines) + "\n"


def _table(fields: tuple[Field, ...], required: tuple[str, ...] = ()) -> str:
    lines = ["| field | type | meaning | example |", "| --- | --- | --- | --- |"]
    lines += [_row(field, field.name in required) for field in fields]
    return "\n".join(lines) + "\n"


def _row(field: Field, required: bool = False) -> str:
    described = _TYPES[field.type] + (", seconds" if field.unit == "s" else "") + (", always" if required else "")
    meaning = field.meaning
    if field.known:
        meaning += f" ({', '.join(f'`{value}`' for value in field.known)})"
    shown = json.dumps(field.example, ensure_ascii=False)
    if field.is_family:
        shown = f'"{field.sample_name}": {shown}'
    return f"| `{field.name}` | {described} | {meaning} | `{shown}` |"
