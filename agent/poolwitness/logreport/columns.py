"""The columns of the table of events, the event keys that they come from, and the SQL that fills them."""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """One column, and the key of the event that it comes from."""

    name: str
    key: str
    kind: str = "text"  # or "integer" or "real"
    lifecycle: bool = False  # whether the table of lifecycle events has it; those are most events of most processes


# In the order of table.sql, without the three that are computed: moment, process, pool_file.
# The table of lifecycle events has created_at instead of pool_file, which the view computes from it.
COLUMNS = (
    Column("event", "event", lifecycle=True),
    Column("level", "level"),
    Column("message", "message"),
    Column("run_id", "poolwitness.run_id", lifecycle=True),
    Column("seq", "poolwitness.seq", "integer", lifecycle=True),
    Column("rule", "poolwitness.rule"),
    Column("rule_name", "poolwitness.rule_name"),
    Column("confidence", "poolwitness.confidence"),
    Column("fix", "poolwitness.fix"),
    Column("fingerprint", "poolwitness.fingerprint"),
    Column("pool", "db.client.connection.pool.name", lifecycle=True),
    Column("pool_id", "poolwitness.pool.id", "integer", lifecycle=True),
    Column("pool_class", "poolwitness.pool.class", lifecycle=True),
    Column("db", "db.namespace", lifecycle=True),
    Column("file", "code.file.path"),
    Column("line", "code.line.number", "integer"),
    Column("function", "code.function.name"),
    Column("stack", "code.stacktrace"),
    Column("held_s", "poolwitness.held_s", "real"),
    Column("waited_s", "poolwitness.waited_s", "real"),
    Column("exit_delay_s", "poolwitness.exit_delay_s", "real"),
    Column("min_size", "poolwitness.pool.min_size", "integer", lifecycle=True),
    Column("pool_size", "poolwitness.stats.pool_size", "integer", lifecycle=True),
    Column("peak_in_use", "poolwitness.peak_in_use", "integer", lifecycle=True),
    Column("workers", "poolwitness.pool.num_workers", "integer", lifecycle=True),
    Column("threads", "poolwitness.pool.threads_alive", "integer", lifecycle=True),
    Column("held_back", "poolwitness.held_back", "integer"),
    Column("verdict", "poolwitness.verdict"),
    Column("suppressed", "poolwitness.suppressed", "integer"),
    Column("lines_lost", "poolwitness.lines_lost", "integer"),
)
# The keys that the other columns are computed from.
_COMPUTED_FROM = ("timestamp", "process.pid", "poolwitness.pool.created_at")
_KINDS = {**dict.fromkeys(_COMPUTED_FROM, "text"), **{column.key: column.kind for column in COLUMNS}}
KEYS = tuple(_KINDS)

_LIFECYCLE_EVENTS = ("poolwitness.pool.opened", "poolwitness.pool.closed")
IS_LIFECYCLE = f"event IN {_LIFECYCLE_EVENTS}"
LIFECYCLE_COLUMNS = ("moment", "process", "created_at", *(column.name for column in COLUMNS if column.lifecycle))
_LIFECYCLE_KEYS = {column.key for column in COLUMNS if column.lifecycle}
_TYPES = {"text": "VARCHAR", "integer": "BIGINT", "real": "DOUBLE"}
# The type that an event is parsed into: a struct's fields are free to access, but a list's elements are copied.
_STRUCT = "{" + ", ".join(f'"{key}":"{_TYPES[kind]}"' for key, kind in {**_KINDS, "logger": "text"}.items()) + "}"
MAX_LINE = 1 << 20  # bytes; no event of ours is longer
LARGEST_INTEGER = 2**53  # larger JSON integers lose digits, and sums of them overflow
_VALUES = {
    "text": "coalesce({0}, '')",
    "integer": f"least(greatest(coalesce({{0}}, 0), -{LARGEST_INTEGER}), {LARGEST_INTEGER})",
    "real": "CASE WHEN isfinite({0}) THEN {0} ELSE 0 END",
}
_IS_EVENT = "moment IS NOT NULL AND starts_with(event, 'poolwitness.') AND run_id <> ''"
# A line as text: whether it is not blank, contains our name, looks like an event of ours, and like a lifecycle event.
# (The event's name is near the beginning; searching whole lines for it would take as long as reading them.)
NOT_BLANK = r"(starts_with(raw, '{') OR regexp_matches(raw, '[^ \t\x0b\x0c]'))"
MENTIONS_US = "contains(raw, 'poolwitness')"
LOOKS_LIKE_EVENT = """(starts_with(raw, '{') AND contains(raw, '"logger":"poolwitness"'))"""
LOOKS_LIKE_LIFECYCLE = " OR ".join(f"""contains(left(raw, 120), '"event":"{event}"')""" for event in _LIFECYCLE_EVENTS)


def select_lifecycle_events(files: str, *, with_filename: bool = False) -> str:
    """The SELECT of lifecycle events (a pool was opened or closed) by the database's own reader of JSON lines.

    Other lines in the files, a list in SQL, are skipped.
    """
    kept = {key: kind for key, kind in _KINDS.items() if key in _COMPUTED_FROM or key in _LIFECYCLE_KEYS}
    kinds = ", ".join(f"'{key}': '{_TYPES[kind]}'" for key, kind in {**kept, "logger": "text"}.items())
    options = "ignore_errors=true, compression='none'" + (", filename=true" if with_filename else "")
    source = f"read_ndjson({files}, columns={{{kinds}}}, {options})"
    columns = ", ".join((*LIFECYCLE_COLUMNS, "filename") if with_filename else LIFECYCLE_COLUMNS)
    # The moment is not checked here, which would compute it twice: the table rejects NULL.
    return (
        f"SELECT {columns} FROM ({_columns(source, '', 'filename, ' if with_filename else '', lifecycle=True)}) "
        f"WHERE is_ours AND {IS_LIFECYCLE} AND run_id <> ''"
    )


def select_other_events(source: str) -> str:
    """The SELECT of all other events, from a table of lines that look like events, in its column ``raw``.

    ``moment``, which the table requires, is NULL if the line is not such an event. (A WHERE would parse lines twice.)
    """
    columns = ", ".join(("process", *(column.name for column in COLUMNS), "pool_file"))
    parsed = f"(SELECT TRY(from_json(raw, '{_STRUCT}')) AS v FROM {source})"
    moment = f"CASE WHEN is_ours AND {_IS_EVENT} AND NOT {IS_LIFECYCLE} THEN moment END AS moment"
    return f"SELECT {moment}, {columns} FROM ({_columns(parsed, 'v.', '')})"


def select_any_lines(source: str) -> str:
    """The SELECT that parses any lines; it takes several times as long as `select_lifecycle_events`.

    It has one row per line that is not blank: ``raw`` if events have to be extracted from the line (it contains our
    name but is not an event), ``is_event``, and the columns of the tables.
    """
    lines = f"""(
  SELECT raw, {MENTIONS_US} AS mentions_us, CASE WHEN {LOOKS_LIKE_EVENT} THEN TRY(from_json(raw, '{_STRUCT}')) END AS v
  FROM {source} WHERE {NOT_BLANK}
)"""
    return f"""
WITH parsed AS (
  SELECT * EXCLUDE (is_ours), mentions_us AND is_ours AND {_IS_EVENT} AS is_event
  FROM ({_columns(lines, "v.", "raw, mentions_us, ")})
)
SELECT * REPLACE (CASE WHEN mentions_us AND NOT is_event THEN raw END AS raw) FROM parsed
"""


def create_events_view() -> str:
    """The CREATE VIEW of all events, with the columns of table.sql in their order."""
    empty = ", ".join(f"{_empty(column)} AS {column.name}" for column in COLUMNS if not column.lifecycle)
    columns = ", ".join(name for name in LIFECYCLE_COLUMNS if name != "created_at")
    return (
        "CREATE VIEW events AS FROM other_events UNION ALL BY NAME "
        f"SELECT {columns}, {_pool_file('created_at')} AS pool_file, {empty} FROM lifecycle_events"
    )


def _columns(source: str, prefix: str, more: str, *, lifecycle: bool = False) -> str:
    """The SELECT of the tables' columns and ``is_ours`` from parsed events."""
    stamp, pid, created = (f'{prefix}"{key}"' for key in _COMPUTED_FROM)
    created = f"coalesce({created}, '')"
    columns = [f"{_value(column, prefix)} AS {column.name}" for column in COLUMNS if column.lifecycle or not lifecycle]
    if not lifecycle:
        columns.append(f"{_pool_file(created)} AS pool_file")
    # A timestamp outside of this range cannot be valid, and might not fit into an integer.
    moment = f"CASE WHEN {stamp} BETWEEN '1970' AND '2200' THEN epoch_us(try_cast({stamp} AS TIMESTAMP)) END"
    return f"""
  SELECT {more}{moment} AS moment,
    {", ".join(columns)},
    concat({prefix}"poolwitness.run_id", ':', {pid}) AS process,
    {created} AS created_at,
    coalesce({prefix}"logger", '') = 'poolwitness' AS is_ours
  FROM {source}"""


def _pool_file(created: str) -> str:
    return rf"regexp_extract({created}, '((?:[^/\\]*[/\\])?[^/\\]*):\d+$', 1)"


def _value(column: Column, prefix: str) -> str:
    value = _VALUES[column.kind].format(f'{prefix}"{column.key}"')
    if column.lifecycle:
        return value
    return f'CASE WHEN {prefix}"event" IN {_LIFECYCLE_EVENTS} THEN {_empty(column)} ELSE {value} END'


def _empty(column: Column) -> str:
    return "''" if column.kind == "text" else "0"
