"""What every field means, with its unit and an example; the types are those of `poolwitness.report.field_types`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from poolwitness.report.field_types import kind_of

LEVELS = ("info", "warning", "error")


@dataclass(frozen=True)
class Field:
    """One field.

    Attributes:
        name: as in the line, under the profile ``default``; a family ends in ``*``.
        meaning: a phrase.
        example: a value it may have.
        unit: ``s`` for seconds, or nothing.
        known: the values that there are so far, where there are few.
        pattern: what a text looks like, where it has one form.
        example_name: a name of the family.
    """

    name: str
    meaning: str
    example: Any = field(hash=False)
    unit: str = ""
    known: tuple[str, ...] = ()
    pattern: str = ""
    example_name: str = ""

    @property
    def kind(self) -> str:
        """Its type, as `poolwitness.report.field_types` names it.

        Raises:
            KeyError: nobody has given it one.
        """
        kind = kind_of(self.name)
        if kind is None:
            raise KeyError(f"{self.name} has a meaning in contract/fields.py and no type in report/field_types.py")
        return kind

    @property
    def is_family(self) -> bool:
        """Whether the last part of the name stands for many."""
        return self.name.endswith("*")

    @property
    def sample_name(self) -> str:
        """A name as it stands in a line."""
        return self.example_name or self.name


HEX16 = "^[0-9a-f]{16}$"
UTC = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"
PLACE = "/srv/shop/db.py:14"

ENVELOPE = (
    Field("timestamp", "when it happened, UTC", "2026-11-22T16:54:00.123456Z", pattern=UTC),
    Field("level", "follows the consequence, not the alarm", "warning", known=LEVELS, pattern="^(info|warning|error)$"),
    Field("event", "the event's name", "poolwitness.finding"),
    Field("message", "one sentence that a person can act on", "pool 'shop', made at db.py:14, was never closed"),
    Field("logger", "always the same: the way to find these lines", "poolwitness", pattern="^poolwitness$"),
    Field("process.pid", "the process that it is about", 4711),
    Field("poolwitness.schema_version", "the version of this contract", "1.0", pattern=r"^1\.\d+$"),
    Field("poolwitness.run_id", "one for the life of a process, new after a fork", "9f86d081884c7d65", pattern=HEX16),
    Field("poolwitness.seq", "counts the lines of a run from 1: a gap is a lost line", 7),
)
MAYBE_EVERYWHERE = (
    Field("poolwitness.truncated", "true where something was cut to make the line fit", True),
    Field("poolwitness.report_id", "what the events of one report have in common", "d7a8fbb307d78094", pattern=HEX16),
)
POOL = (
    Field("db.client.connection.pool.name", "the pool's name, at most 256 characters", "shop"),
    Field("poolwitness.pool.id", "counts the pools of a process", 1),
    Field("poolwitness.pool.class", "its class, with the module", "psycopg_pool.pool.ConnectionPool"),
    Field("poolwitness.pool.min_size", "connections it keeps", 4),
    Field("poolwitness.pool.max_size", "connections it may have; absent where there is no limit", 10),
    Field("poolwitness.pool.num_workers", "workers that make and mend its connections; a scheduler comes on top", 3),
    Field("server.address", "the database's host or socket directory", "db.internal"),
    Field("server.port", "the database's port", 5432),
    Field("db.namespace", "the database's name", "shop"),
    Field("db.user", "the role that connects", "shop_app"),
    Field("poolwitness.pool.created_at", "the line that made it", PLACE),
    Field("poolwitness.pool.created_in", "the thread or task that made it", "MainThread"),
)
FRAME = (
    Field("code.file.path", "the file to open first", "/srv/shop/db.py"),
    Field("code.line.number", "the line in it", 14),
    Field("code.function.name", "the function it is in", "make_pool"),
)
CODE = (
    *FRAME,
    Field(
        "code.stacktrace",
        "the stack of that line, outermost frame first; `...` where frames were cut",
        'File "/srv/shop/app.py", line 3, in <module>\nFile "/srv/shop/db.py", line 14, in make_pool',
    ),
)
RULE = (
    Field("poolwitness.rule", "the rule's code", "PW001", pattern="^PW[0-9]{3}$"),
    Field("poolwitness.rule_name", "the rule's name", "pool-never-closed"),
    Field(
        "poolwitness.fingerprint",
        "the same fault at the same functions has the same one, in every process and after a deployment",
        "2c26b46b68ffc68f",
        pattern=HEX16,
    ),
)
CONFIDENCE = Field(
    "poolwitness.confidence",
    "proven: it happened; probable: nothing else is likely; suspected: it may come back",
    "proven",
    known=("proven", "probable", "suspected"),
)
FIX = Field("poolwitness.fix", "how to mend it", "use `with`, or close the pool in a finally")
HELD_BACK = Field(
    "poolwitness.held_back",
    "lines of the same kind and fingerprint, or line of code, that were held back since the last one that was written",
    270,
)
HOLDER = (
    Field("poolwitness.checkout.id", "counts the checkouts of a process", 12),
    Field("poolwitness.held_s", "how long the connection has been, or was, out", 31.25, "s"),
    Field("poolwitness.holder", "the thread or task that has the connection", "worker-3"),
    Field("poolwitness.holder_kind", "what the holder is", "thread", known=("thread", "task")),
    Field("poolwitness.holder_alive", "whether the holder still runs", True),
    Field(
        "poolwitness.transaction",
        "the state of the connection's transaction",
        "idle in transaction",
        known=("idle", "active", "idle in transaction", "in failed transaction", "closed", "unknown"),
    ),
    Field("poolwitness.holder_at", "the line where the holder stands now", "/srv/shop/orders.py:88"),
    Field("poolwitness.kept_by", "the path of references that keeps it alive", "module shop.db, attribute pool"),
)
FIGURES = (
    Field("poolwitness.peak_in_use", "the most connections that were out at once", 9),
    Field("poolwitness.longest_wait_s", "the longest that a request waited", 0.75, "s"),
    Field("poolwitness.longest_held_s", "the longest that a connection was out", 12.5, "s"),
    Field(
        "poolwitness.longest_held_at",
        "the line that took it, or that uses the context manager that did",
        "/srv/shop/orders.py:31",
    ),
    Field(
        "poolwitness.stats.*",
        "what psycopg_pool itself counted, under its own names; those in `_ms` are milliseconds",
        1207,
        example_name="poolwitness.stats.requests_num",
    ),
)
COUNTS = (
    Field(
        "poolwitness.found.*",
        "how many findings of a rule, by its code",
        2,
        example_name="poolwitness.found.PW001",
    ),
    Field("poolwitness.findings", "how many findings in all", 2),
)
NOW = (
    Field("poolwitness.connections_out", "connections that are out", 4),
    Field("poolwitness.requests_waiting", "requests that wait for a connection", 17),
)
SLOTS_LOST = Field("poolwitness.slots_lost", "connections that the pool counts for ever and nobody has", 1)
POOLS_OPEN = Field("poolwitness.pools_open", "pools that are open", 1)
POOLS_CLOSED = Field("poolwitness.pools_closed", "pools that were closed", 2)
RECORDS_DROPPED = Field("poolwitness.records_dropped", "records that had no room in the agent's memory", 0)
WORKERS_DEAD = Field("poolwitness.workers_dead", "the pool's workers and schedulers that have died", 1)
VERSIONS = Field(
    "poolwitness.version.*",
    "an installed release, by its distribution",
    "3.3.3",
    example_name="poolwitness.version.psycopg_pool",
)
WAITED = Field("poolwitness.waited_s", "how long the request had waited", 30.0, "s")
EXCEPTION = (
    Field("exception.type", "the class of the exception", "OperationalError"),
    Field("exception.message", "its text, without secrets", "connection refused"),
)
