"""What is kept of an event: the columns of the table, and the keys that they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        name: in the table.
        key: of the event.
        kind: ``text``, ``integer`` or ``real``.
        quiet: whether it is kept of pools that were opened or closed, which are most events of most processes.
    """

    name: str
    key: str
    kind: str = "text"
    quiet: bool = False


# In the order of table.sql, without the three that are made of other keys: moment, process, pool_file.
# Of quiet events pool_file is made when it is asked for: `made_at` is kept instead, which is no column of the view.
COLUMNS = (
    Column("event", "event", quiet=True),
    Column("level", "level"),
    Column("message", "message"),
    Column("run_id", "poolwitness.run_id", quiet=True),
    Column("seq", "poolwitness.seq", "integer", quiet=True),
    Column("rule", "poolwitness.rule"),
    Column("rule_name", "poolwitness.rule_name"),
    Column("confidence", "poolwitness.confidence"),
    Column("fix", "poolwitness.fix"),
    Column("fingerprint", "poolwitness.fingerprint"),
    Column("pool", "db.client.connection.pool.name", quiet=True),
    Column("pool_id", "poolwitness.pool.id", "integer", quiet=True),
    Column("pool_class", "poolwitness.pool.class", quiet=True),
    Column("db", "db.namespace", quiet=True),
    Column("file", "code.file.path"),
    Column("line", "code.line.number", "integer"),
    Column("function", "code.function.name"),
    Column("stack", "code.stacktrace"),
    Column("held_s", "poolwitness.held_s", "real"),
    Column("waited_s", "poolwitness.waited_s", "real"),
    Column("exit_delay_s", "poolwitness.exit_delay_s", "real"),
    Column("min_size", "poolwitness.pool.min_size", "integer", quiet=True),
    Column("pool_size", "poolwitness.stats.pool_size", "integer", quiet=True),
    Column("peak_in_use", "poolwitness.peak_in_use", "integer", quiet=True),
    Column("workers", "poolwitness.pool.num_workers", "integer", quiet=True),
    Column("threads", "poolwitness.pool.threads_alive", "integer", quiet=True),
    Column("held_back", "poolwitness.held_back", "integer"),
    Column("verdict", "poolwitness.verdict"),
    Column("suppressed", "poolwitness.suppressed", "integer"),
    Column("lines_lost", "poolwitness.lines_lost", "integer"),
)
# What the other columns are made of.
MADE_OF = ("timestamp", "process.pid", "poolwitness.pool.created_at")
KINDS = {**dict.fromkeys(MADE_OF, "text"), **{column.key: column.kind for column in COLUMNS}}
KEYS = tuple(KINDS)

QUIET_EVENTS = ("poolwitness.pool.opened", "poolwitness.pool.closed")
QUIET = f"event IN {QUIET_EVENTS}"
QUIET_COLUMNS = ("moment", "process", "made_at", *(column.name for column in COLUMNS if column.quiet))
_TYPES = {"text": "VARCHAR", "integer": "BIGINT", "real": "DOUBLE"}
# What an event is taken apart as: a struct's fields are had for nothing, where each element of a list is copied.
_TYPED = "{" + ", ".join(f'"{key}":"{_TYPES[kind]}"' for key, kind in {**KINDS, "logger": "text"}.items()) + "}"
_LARGEST = 2**53  # beyond it JSON's integers lose digits on the way, and sums of them their range
_OURS = "moment IS NOT NULL AND starts_with(event, 'poolwitness.') AND run_id <> ''"
# Of a line as text: whether it is one at all, names us, looks like an event as it stands, and like a quiet one.
# (The name is near the beginning; to look for it in the whole of the others would take as long as to read them.)
NOT_BLANK = r"(starts_with(raw, '{') OR regexp_matches(raw, '[^ \t\x0b\x0c]'))"
NAMED = "contains(raw, 'poolwitness')"
CANDIDATE = """(starts_with(raw, '{') AND contains(raw, '"logger":"poolwitness"'))"""
QUIET_CANDIDATE = " OR ".join(f"""contains(left(raw, 120), '"event":"{event}"')""" for event in QUIET_EVENTS)


def quiet_events(listed: str, *, named: bool = False) -> str:
    """The SELECT of the pools that were opened and closed, by the database's own reader of JSON lines.

    Args:
        listed: the files, as a list in SQL; lines that are no such events are passed over.
        named: whether to give the name of the file of each as well.
    """
    kept = {**dict.fromkeys(MADE_OF, "text"), **{column.key: column.kind for column in COLUMNS if column.quiet}}
    kinds = ", ".join(f"'{key}': '{_TYPES[kind]}'" for key, kind in {**kept, "logger": "text"}.items())
    source = (
        f"read_ndjson({listed}, columns={{{kinds}}}, ignore_errors=true, compression='none'"
        f"{', filename=true' if named else ''})"
    )
    columns = ", ".join((*QUIET_COLUMNS, "filename") if named else QUIET_COLUMNS)
    # Without a look at the moment, which would be made twice then: the table takes none that is NULL.
    return (
        f"SELECT {columns} FROM ({_apart(source, '', 'filename, ' if named else '', quiet=True)}) "
        f"WHERE run AND {QUIET} AND run_id <> ''"
    )


def further_events(source: str) -> str:
    """The SELECT of all other events, of lines that look like events as they stand.

    Args:
        source: a table or table function with the column ``raw``, one line a row.

    Returns:
        One row a line; ``moment``, which the table wants, is NULL for one that is no such event. (A WHERE would take
        each line apart a second time.)
    """
    columns = ", ".join(("process", *(column.name for column in COLUMNS), "pool_file"))
    parsed = f"(SELECT TRY(from_json(raw, '{_TYPED}')) AS v FROM {source})"
    moment = f"CASE WHEN run AND {_OURS} AND NOT {QUIET} THEN moment END AS moment"
    return f"SELECT {moment}, {columns} FROM ({_apart(parsed, 'v.', '')})"


def staging(source: str) -> str:
    """The SELECT that takes lines apart, whatever they are: several times as long as `quiet_events` takes.

    Args:
        source: a table or table function with the column ``raw``, one line a row.

    Returns:
        One row a line that is not blank: ``raw`` where somebody has to look at it (a line that names us and is not one
        of ours as it stands), ``ours``, and the columns of the tables.
    """
    lines = f"""(
  SELECT raw, {NAMED} AS named, CASE WHEN {CANDIDATE} THEN TRY(from_json(raw, '{_TYPED}')) END AS v
  FROM {source} WHERE {NOT_BLANK}
)"""
    return f"""
WITH judged AS (
  SELECT * EXCLUDE (run), named AND run AND {_OURS} AS ours FROM ({_apart(lines, "v.", "raw, named, ")})
)
SELECT * REPLACE (CASE WHEN named AND NOT ours THEN raw END AS raw) FROM judged
"""


def view() -> str:
    """The view of all events, in the order of table.sql."""
    filled = ", ".join(f"{_nothing(column)} AS {column.name}" for column in COLUMNS if not column.quiet)
    quiet = ", ".join(name for name in QUIET_COLUMNS if name != "made_at")
    return (
        "CREATE VIEW events AS FROM other_events UNION ALL BY NAME "
        f"SELECT {quiet}, {_pool_file('made_at')} AS pool_file, {filled} FROM quiet_events"
    )


def _apart(source: str, prefix: str, more: str, *, quiet: bool = False) -> str:
    def field(key: str) -> str:
        return f'{prefix}"{key}"'

    stamp, pid, created = (field(key) for key in MADE_OF)
    created_at = f"coalesce({created}, '')"
    columns = [f"{_value(column, field)} AS {column.name}" for column in COLUMNS if column.quiet or not quiet]
    if not quiet:
        columns.append(f"{_pool_file(created_at)} AS pool_file")
    # Anything else is no moment at which this program can have run, and ends in no integer.
    moment = f"CASE WHEN {stamp} BETWEEN '1970' AND '2200' THEN epoch_us(try_cast({stamp} AS TIMESTAMP)) END"
    return f"""
  SELECT {more}{moment} AS moment,
    {", ".join(columns)},
    concat({field("poolwitness.run_id")}, ':', {pid}) AS process,
    {created_at} AS made_at,
    coalesce({field("logger")}, '') = 'poolwitness' AS run
  FROM {source}"""


def _pool_file(created: str) -> str:
    return rf"regexp_extract({created}, '((?:[^/\\]*[/\\])?[^/\\]*):\d+$', 1)"


def _value(column: Column, field: Callable[[str], str]) -> str:
    value = field(column.key)
    if column.kind == "integer":
        value = f"least(greatest(coalesce({value}, 0), -{_LARGEST}), {_LARGEST})"
    elif column.kind == "real":
        value = f"CASE WHEN isfinite({value}) THEN {value} ELSE 0 END"
    else:
        value = f"coalesce({value}, '')"
    if column.quiet:
        return value
    return f"CASE WHEN {field('event')} IN {QUIET_EVENTS} THEN {_nothing(column)} ELSE {value} END"


def _nothing(column: Column) -> str:
    return "''" if column.kind == "text" else "0"
