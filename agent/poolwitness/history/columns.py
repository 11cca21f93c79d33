"""What is kept of an event: the columns of the table, and the keys that they come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        name: in the table.
        key: of the event.
        kind: ``text``, ``long`` (a text that pools need not repeat), ``integer`` or ``real``.
    """

    name: str
    key: str
    kind: str = "text"


# In the order of table.sql, without the three that are made of other keys: moment, process, pool_file.
COLUMNS = (
    Column("event", "event"),
    Column("level", "level"),
    Column("message", "message", "long"),
    Column("run_id", "poolwitness.run_id"),
    Column("seq", "poolwitness.seq", "integer"),
    Column("rule", "poolwitness.rule"),
    Column("rule_name", "poolwitness.rule_name"),
    Column("confidence", "poolwitness.confidence"),
    Column("fix", "poolwitness.fix"),
    Column("fingerprint", "poolwitness.fingerprint"),
    Column("pool", "db.client.connection.pool.name"),
    Column("pool_id", "poolwitness.pool.id", "integer"),
    Column("pool_class", "poolwitness.pool.class"),
    Column("db", "db.namespace"),
    Column("file", "code.file.path"),
    Column("line", "code.line.number", "integer"),
    Column("function", "code.function.name"),
    Column("stack", "code.stacktrace", "long"),
    Column("held_s", "poolwitness.held_s", "real"),
    Column("waited_s", "poolwitness.waited_s", "real"),
    Column("exit_delay_s", "poolwitness.exit_delay_s", "real"),
    Column("min_size", "poolwitness.pool.min_size", "integer"),
    Column("pool_size", "poolwitness.stats.pool_size", "integer"),
    Column("peak_in_use", "poolwitness.peak_in_use", "integer"),
    Column("workers", "poolwitness.pool.num_workers", "integer"),
    Column("threads", "poolwitness.pool.threads_alive", "integer"),
    Column("held_back", "poolwitness.held_back", "integer"),
    Column("verdict", "poolwitness.verdict"),
    Column("suppressed", "poolwitness.suppressed", "integer"),
    Column("lines_lost", "poolwitness.lines_lost", "integer"),
)
# What the other columns are made of.
MADE_OF = ("timestamp", "process.pid", "poolwitness.pool.created_at")
KINDS = {**dict.fromkeys(MADE_OF, "text"), **{column.key: column.kind for column in COLUMNS}}
KEYS = tuple(KINDS)

_QUIET = "('poolwitness.pool.opened', 'poolwitness.pool.closed')"
_TYPES = {"text": "VARCHAR", "long": "VARCHAR", "integer": "BIGINT", "real": "DOUBLE"}
_LARGEST = 2**53  # beyond it JSON's integers lose digits on the way, and sums of them their range


def staging(source: str) -> str:
    """The SELECT that takes lines apart.

    Args:
        source: a table or table function with the column ``raw``, one line a row.

    Returns:
        One row a line that is not blank: ``raw`` where somebody has to look at it (a line that names us and is not one
        of ours as it stands), ``ours``, and the columns of the table.
    """
    # A struct's fields are had for nothing, where each element of a list is copied.
    types = ", ".join(f'"{key}":"{_TYPES[kind]}"' for key, kind in KINDS.items())
    columns = ",\n    ".join(f"{_value(column)} AS {column.name}" for column in COLUMNS)
    stamp, pid, created = (_field(key) for key in MADE_OF)
    # Anything else is no moment at which this program can have run, and ends in no integer.
    moment = f"CASE WHEN {stamp} BETWEEN '1970' AND '2200' THEN epoch_us(try_cast({stamp} AS TIMESTAMP)) END"
    return rf"""
WITH lines AS (
  SELECT raw, contains(raw, 'poolwitness') AS named,
    CASE WHEN starts_with(raw, '{{') AND contains(raw, '"logger":"poolwitness"')
      THEN TRY(from_json(raw, '{{{types}}}')) END AS v
  FROM {source} WHERE regexp_matches(raw, '[^ \t\x0b\x0c]')
), apart AS (
  SELECT raw, named, {moment} AS moment,
    {columns},
    concat({_field("poolwitness.run_id")}, ':', {pid}) AS process,
    CASE WHEN {created} IS NULL THEN '' ELSE regexp_extract({created}, '((?:[^/\\]*[/\\])?[^/\\]*):\d+$', 1) END
      AS pool_file
  FROM lines
), judged AS (
  SELECT *, named AND moment IS NOT NULL AND starts_with(event, 'poolwitness.') AND run_id <> '' AS ours FROM apart
)
SELECT * REPLACE (CASE WHEN named AND NOT ours THEN raw END AS raw) FROM judged
"""


def _field(key: str) -> str:
    return f'v."{key}"'


def _value(column: Column) -> str:
    value = _field(column.key)
    if column.kind == "integer":
        return f"least(greatest(coalesce({value}, 0), -{_LARGEST}), {_LARGEST})"
    if column.kind == "real":
        return f"CASE WHEN isfinite({value}) THEN {value} ELSE 0 END"
    if column.kind == "long":
        return f"CASE WHEN {_field('event')} IN {_QUIET} THEN '' ELSE coalesce({value}, '') END"
    return f"coalesce({value}, '')"
