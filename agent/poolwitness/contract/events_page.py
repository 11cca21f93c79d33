"""The contract for people: docs/events.md."""

from __future__ import annotations

import json

from poolwitness._version import SCHEMA_VERSION
from poolwitness.contract.events import EVENTS, Event, every_field
from poolwitness.contract.fields import ENVELOPE, MAYBE_EVERYWHERE, POOL, Field
from poolwitness.report.profiles import PROFILES

_KINDS = {"text": "text", "integer": "integer", "number": "number", "boolean": "boolean", "texts": "list of texts"}
_HEAD = f"""\
# Events and their fields

One JSON object a line, at most 4,096 bytes with its newline. This page is made from the code that
writes the lines (`make docs`), and a test fails where it is out of date. The same as a JSON Schema 2020-12 is in the
package: `poolwitness schema` prints it. This is version {SCHEMA_VERSION}.

A field has the same type in every event. Nothing is null: what is not known is absent. Seconds are floats, and
their names end in `_s`. No integer is past 2^53. No name is both a field and the beginning of another.

## What may change

| in | what |
| --- | --- |
| 1.x, any release | a new event; a new field in an event; a new value where values are listed; another wording of `message` and `poolwitness.fix`; a field that was always there stays |
| 2.0 | anything else: a field or an event that is renamed, removed, or given another type, unit or meaning |

So read what you know and pass over the rest; tell faults by `poolwitness.rule` and `poolwitness.fingerprint`, never by the
text of `message`. The schema in the package does the same: it lets through what it does not know. The version of a
line is its `poolwitness.schema_version`.
"""
_PROFILES = """\
## Names under each profile

`POOLWITNESS_PROFILE` chooses the names in JSON lines on stderr and in files. What is not in this table keeps its name; an empty cell
too. The outputs `logging` and `structlog` hand on the default names, since the application formats them itself. So do
`poolwitness postmortem`, `poolwitness dump` and the one line that is written where the agent cannot start.

{table}

Added, because the backend wants it:

{added}

`gcp` moves `code.file.path`, `code.line.number` and `code.function.name` into `logging.googleapis.com/sourceLocation`.
`event.duration` (`ecs`) and `duration` (`datadog`) are nanoseconds, where an event took time. `code.*` is the line to open, not the line
that logged, so `ecs` leaves `log.origin.*` alone.
"""


def events_page() -> str:
    """The whole page."""
    parts = [_HEAD, "## Every event\n", _table(ENVELOPE, {field.name for field in ENVELOPE})]
    parts += ["And where there is reason to:\n", _table(MAYBE_EVERYWHERE, set())]
    parts += [
        "## About a pool\n\nWhere an event is about a pool (it says *a pool's fields*):\n",
        _table(POOL, set()),
    ]
    parts += [_section(event) for event in EVENTS]
    parts.append(_profiles())
    return "\n".join(parts)


def _profiles() -> str:
    heads = ["default", *PROFILES]
    renamed = [name for name in every_field() if any(name in profile.names for profile in PROFILES.values())]
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


def _section(event: Event) -> str:
    own = [field for field in event.fields if field not in POOL or not set(POOL) <= set(event.fields)]
    text = f"## `{event.name}`\n\n{event.when}"
    if set(POOL) <= set(event.fields):
        text += " It has a pool's fields."
    if not own:
        return text + ("" if event.fields else " It has no fields of its own.") + "\n"
    return f"{text}\n\n{_table(own, set(event.required))}"


def _table(fields: list[Field] | tuple[Field, ...], required: set[str]) -> str:
    rows = ["| field | type | meaning | example |", "| --- | --- | --- | --- |"]
    for field in fields:
        kind = _KINDS[field.kind] + (", seconds" if field.unit == "s" else "")
        if field.name in required:
            kind += ", always"
        meaning = field.meaning
        if field.known:
            meaning += f" ({', '.join(f'`{value}`' for value in field.known)})"
        shown = json.dumps(field.example, ensure_ascii=False)
        if field.is_family:
            shown = f'"{field.sample_name}": {shown}'
        rows.append(f"| `{field.name}` | {kind} | {meaning} | `{shown}` |")
    return "\n".join(rows) + "\n"
