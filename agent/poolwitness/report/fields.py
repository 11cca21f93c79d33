"""Every field that an event can have: its name, type, meaning and an example. Nothing else describes a field.

To add one, add a row here and its name to the events in `poolwitness.report.events`, or to the rule that sets it.
A program under the agent loads this table for the types.
"""

# No annotations from __future__ here: NamedTuple would compile each of them, which takes longer than the whole table.

from typing import Any, NamedTuple


class Field(NamedTuple):
    """One field.

    Attributes:
        name: as in the line, under the profile ``default``. A name that ends in ``*`` stands for many.
        type: ``text``, ``integer``, ``number``, ``boolean`` or ``texts``, the same in all events.
        unit: ``s`` for seconds, or nothing.
        known: the values so far, where there are few.
        pattern: what a text looks like, where it has one form.
        fallback: replaces a text that does not match the pattern, where a reader relies on it.
        example_name: one of the names that a name with ``*`` stands for.
    """

    name: str
    type: str
    meaning: str
    example: Any
    unit: str = ""
    known: tuple[str, ...] = ()
    pattern: str = ""
    fallback: str = ""
    example_name: str = ""

    @property
    def is_family(self) -> bool:
        """Whether this is one row for many names."""
        return self.name.endswith("*")

    @property
    def sample_name(self) -> str:
        """A name as it is in a line."""
        return self.example_name or self.name


HEX16 = "^[0-9a-f]{16}$"
NO_HEX16 = "0" * 16
UTC = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"
PLACE = "/srv/shop/db.py:14"

# fmt: off
# What every event has, in the order of a line.
ALWAYS = (
    "timestamp", "level", "event", "message", "logger", "process.pid", "poolwitness.schema_version",
    "poolwitness.run_id", "poolwitness.seq",
)
_TABLE = (
    # Every event
    Field("timestamp", "text", "when it happened, UTC", "2026-11-22T16:54:00.123456Z", pattern=UTC),
    Field("level", "text", "follows the consequence, not the alarm", "warning", known=("info", "warning", "error"), pattern="^(info|warning|error)$", fallback="warning"),
    Field("event", "text", "the event's name", "poolwitness.finding"),
    Field("message", "text", "one sentence that a person can act on", "pool 'shop', made at db.py:14, was never closed"),
    Field("logger", "text", "always the same: the way to find these lines", "poolwitness", pattern="^poolwitness$"),
    Field("process.pid", "integer", "the process that it is about", 4711),
    Field("poolwitness.schema_version", "text", "the version of this contract", "1.0", pattern=r"^1\.\d+$"),
    Field("poolwitness.run_id", "text", "one for the life of a process, new after a fork; each answer to `dump` and each report of `postmortem` has its own", "9f86d081884c7d65", pattern=HEX16),
    Field("poolwitness.seq", "integer", "counts the lines of a run from 1: a gap is a lost line", 7),
    Field("poolwitness.truncated", "boolean", "true where something was cut to make the line fit", True),
    Field("poolwitness.report_id", "text", "what the events of one report have in common", "d7a8fbb307d78094", pattern=HEX16, fallback=NO_HEX16),

    # A pool
    Field("db.client.connection.pool.name", "text", "the pool's name, at most 256 characters", "shop"),
    Field("poolwitness.pool.id", "integer", "counts the pools of a process", 1),
    Field("poolwitness.pool.class", "text", "its class, with the module", "psycopg_pool.pool.ConnectionPool"),
    Field("poolwitness.pool.min_size", "integer", "connections it keeps", 4),
    Field("poolwitness.pool.max_size", "integer", "connections it may have; absent where there is no limit", 10),
    Field("poolwitness.pool.num_workers", "integer", "workers that create and replace its connections; a scheduler comes on top", 3),
    Field("server.address", "text", "the database's host or socket directory", "db.internal"),
    Field("server.port", "integer", "the database's port", 5432),
    Field("db.namespace", "text", "the database's name", "shop"),
    Field("db.user", "text", "the role that connects", "shop_app"),
    Field("poolwitness.pool.created_at", "text", "the line that created it", PLACE),
    Field("poolwitness.pool.created_in", "text", "the thread or task that created it", "MainThread"),
    Field("poolwitness.pool.is_async", "boolean", "whether it is an async pool", False),
    Field("poolwitness.pool.state", "text", "how far its life has come", "open", known=("new", "open", "closing", "closed", "dropped")),
    Field("poolwitness.pool.inherited", "boolean", "whether it was opened in a process that this one was forked from", False),
    Field("poolwitness.pool.open_s", "number", "how long it has been, or was, open", 3600.5, "s"),
    Field("poolwitness.pool.close_s", "number", "how long closing it took", 0.02, "s"),
    Field("poolwitness.pool.closed_at", "text", "the line that closed it", "/srv/shop/app.py:70"),
    Field("poolwitness.pool.connect_failing", "boolean", "whether its attempts to connect fail at the moment", False),

    # The line to open
    Field("code.file.path", "text", "the file to open first", "/srv/shop/db.py"),
    Field("code.line.number", "integer", "the line in it", 14),
    Field("code.function.name", "text", "the function it is in", "make_pool"),
    Field("code.stacktrace", "text", "the stack of that line, outermost frame first; `...` where frames were cut", 'File "/srv/shop/app.py", line 3, in <module>\nFile "/srv/shop/db.py", line 14, in make_pool'),
    Field("exception.type", "text", "the class of the exception", "OperationalError"),
    Field("exception.message", "text", "what a failed connect means: a sentence of the agent's, with nothing of the server's own message", "the connection was refused"),
    Field("poolwitness.server_error", "text", "the same as a name that stays; absent if the program's own code raised the exception", "connection_refused"),
    Field("poolwitness.raised_at", "text", "the application's line that raised the exception, or called what did", "/srv/shop/db.py:9"),
    Field("db.response.status_code", "text", "the server's SQLSTATE", "28P01"),

    # A finding
    Field("poolwitness.rule", "text", "the rule's code", "PW001", pattern="^PW[0-9]{3}$", fallback="PW000"),
    Field("poolwitness.rule_name", "text", "the rule's name", "pool-never-closed"),
    Field("poolwitness.fingerprint", "text", "the same fault at the same functions has the same one, in every process and after a deployment", "2c26b46b68ffc68f", pattern=HEX16, fallback=NO_HEX16),
    Field("poolwitness.confidence", "text", "proven: it happened; probable: nothing else is likely; suspected: it may resolve", "proven", known=("proven", "probable", "suspected")),
    Field("poolwitness.fix", "text", "how to fix it", "use `with`, or close the pool in a finally"),
    Field("poolwitness.related", "texts", "the rules that reported the same fault before, or its cause", ["PW001"]),
    Field("poolwitness.held_back", "integer", "lines of the same kind and fingerprint, or line of code, that were held back since the last one that was written", 270),

    # A connection that is checked out, and a request that waits for one
    Field("poolwitness.rank", "integer", "the worst is 1", 1),
    Field("poolwitness.checkout.id", "integer", "counts the checkouts of a process", 12),
    Field("poolwitness.held_s", "number", "how long the connection has been, or was, checked out; in `poolwitness.finding.resolved` how long what was suspected took", 31.25, "s"),
    Field("poolwitness.idle_s", "number", "since when the connection has not been seen at work", 30.0, "s"),
    Field("poolwitness.waited_s", "number", "how long the request has waited, or had waited", 30.0, "s"),
    Field("poolwitness.holder", "text", "the thread or task that has the connection, or asked for one", "worker-3"),
    Field("poolwitness.holder_kind", "text", "what the holder is", "thread", known=("thread", "task")),
    Field("poolwitness.holder_alive", "boolean", "whether the holder still runs", True),
    Field("poolwitness.holder_at", "text", "the line that the holder is at now", "/srv/shop/orders.py:88"),
    Field("poolwitness.holder_stacktrace", "text", "the stack that the holder is at now, outermost frame first", 'File "/srv/shop/app.py", line 9, in <module>\nFile "/srv/shop/orders.py", line 88, in ship'),
    Field("poolwitness.transaction", "text", "the state of the connection's transaction", "idle in transaction", known=("idle", "active", "idle in transaction", "in failed transaction", "closed", "unknown")),
    Field("poolwitness.called_at", "text", "the application's line that called the function in which the connection was taken", "/srv/shop/app.py:9"),
    Field("poolwitness.kept_by", "text", "the path of references that keeps the pool or the connection alive", "module shop.db, attribute pool"),
    Field("poolwitness.taken_at", "text", "the line that took the connection", "/srv/shop/orders.py:31"),
    Field("poolwitness.returned_at", "text", "the line that returned it", "/srv/shop/orders.py:40"),
    Field("poolwitness.request_at", "text", "the line whose request was refused", "/srv/shop/cart.py:12"),

    # What a rule found
    Field("poolwitness.expected_exit_delay_s", "number", "by how much the pool is expected to delay the exit", 20.0, "s"),
    Field("poolwitness.pool.threads_alive", "integer", "the pool's threads that are alive", 4),
    Field("poolwitness.pool.threads", "texts", "the pool's threads, each with its state and the line it is at", ["shop-worker-0 worker alive tid=4712 sleeping"]),
    Field("poolwitness.exit_delay_s", "number", "by how much this pool delayed the exit, measured", 20.004, "s"),
    Field("poolwitness.exit_delay_total_s", "number", "by how much all pools of the process together have delayed it so far", 40.01, "s"),
    Field("poolwitness.exits_delayed", "integer", "pools of the process that delayed it so far, those without a line included", 2),
    Field("poolwitness.ending_s", "number", "since when the program has been ending", 12.5, "s"),
    Field("poolwitness.waits_for", "text", "what the end of the program waits for", "thread 'flusher'"),
    Field("poolwitness.waits_for_count", "integer", "how many of those there are", 1),
    Field("poolwitness.waits_at", "text", "the line that it is at", "/srv/shop/flush.py:12"),
    Field("poolwitness.waits_stacktrace", "text", "the stack of the pool's worker that is being waited for, outermost frame first", 'File "/srv/venv/lib/psycopg_pool/pool_async.py", line 679, in worker'),
    Field("poolwitness.pools_open_at", "texts", "the lines that created the pools that are open", [PLACE]),
    Field("poolwitness.used_at", "text", "the line that used the closed pool", "/srv/shop/report.py:9"),
    Field("poolwitness.used_by", "text", "the function of that line", "nightly"),
    Field("poolwitness.use", "text", "what was done to the pool", "used", known=("used", "waited for", "closed", "given a connection back", "checked", "drained")),
    Field("poolwitness.uses", "integer", "how often", 3),
    Field("poolwitness.count", "integer", "how often until now", 5),
    Field("poolwitness.opened_at", "text", "the line that opened the pool", PLACE),
    Field("poolwitness.opened_pid", "integer", "the process that opened it", 4700),
    Field("poolwitness.opened_loop", "text", "the loop it was opened on", "_UnixSelectorEventLoop in MainThread"),
    Field("poolwitness.opened_loop_ended", "boolean", "whether that loop is closed", True),
    Field("poolwitness.used_loop", "text", "the loop it was used on", "_UnixSelectorEventLoop in Thread-1"),
    Field("poolwitness.forked_by", "text", "what forks the program's processes; absent where that is not known", "gunicorn", known=("gunicorn", "celery", "uwsgi", "multiprocessing")),
    Field("poolwitness.slots_lost", "integer", "connections that the pool counts forever although they are gone", 1),
    Field("poolwitness.slots_left", "integer", "slots that the pool still has", 9),
    Field("poolwitness.slots_out", "integer", "connections of the pool that are checked out", 10),
    Field("poolwitness.slots_counted", "integer", "connections that the pool counts", 10),
    Field("poolwitness.slots_unaccounted", "integer", "of those, the ones that neither the pool nor any holder has", 2),
    Field("poolwitness.connect_s", "number", "what a connection takes to create, on average", 1.5, "s"),
    Field("poolwitness.configure_s", "number", "what the callback `configure` takes, on average", 0.25, "s"),
    Field("poolwitness.phase", "text", "which of the two is slow", "connect", known=("connect", "configure")),
    Field("poolwitness.defect", "text", "the defect's name", "open-race"),
    Field("poolwitness.source", "text", "where the defect is described", "psycopg issue 1388"),

    # A worker of a pool, and a thread of the process
    Field("poolwitness.worker.name", "text", "the thread or task", "shop-worker-0"),
    Field("poolwitness.worker.role", "text", "what it is to the pool", "worker", known=("worker", "scheduler")),
    Field("poolwitness.worker.alive", "boolean", "whether it runs", True),
    Field("poolwitness.worker.task", "text", "the task it is in", "AddConnection"),
    Field("poolwitness.worker.busy_s", "number", "for how long", 42.5, "s"),
    Field("poolwitness.worker.at", "text", "the application's line that it is at", "/srv/shop/db.py:9"),
    Field("poolwitness.worker.stacktrace", "text", "the stack that it is at, outermost frame first", 'File "/srv/shop/db.py", line 9, in configure'),
    Field("poolwitness.workers_alive", "integer", "the pool's workers and schedulers that run", 4),
    Field("poolwitness.workers_dead", "integer", "the pool's workers and schedulers that have died", 1),
    Field("poolwitness.workers_busy", "integer", "workers of the pool that are in a task", 3),
    Field("thread.name", "text", "the thread's name", "MainThread"),
    Field("poolwitness.main_thread", "boolean", "whether it is the main thread", True),

    # A process
    Field("poolwitness.pools_created", "integer", "pools that were created", 3),
    Field("poolwitness.pools_opened", "integer", "pools that were opened", 3),
    Field("poolwitness.pools_open", "integer", "pools that are open", 1),
    Field("poolwitness.pools_closed", "integer", "pools that were closed", 2),
    Field("poolwitness.connections_out", "integer", "connections that are checked out", 4),
    Field("poolwitness.requests_waiting", "integer", "requests that wait for a connection", 17),
    Field("poolwitness.peak_in_use", "integer", "the most connections that were checked out at once", 9),
    Field("poolwitness.longest_wait_s", "number", "the longest that a request waited", 0.75, "s"),
    Field("poolwitness.longest_held_s", "number", "the longest that a connection was checked out", 12.5, "s"),
    Field("poolwitness.longest_held_at", "text", "the line that took it, or that uses the context manager that did", "/srv/shop/orders.py:31"),
    Field("poolwitness.stats.*", "integer", "what psycopg_pool itself counted, under its own names; those in `_ms` are milliseconds", 1207, example_name="poolwitness.stats.requests_num"),
    Field("poolwitness.findings", "integer", "findings in all", 2),
    Field("poolwitness.found.*", "integer", "findings of a rule, by its code", 2, example_name="poolwitness.found.PW001"),
    Field("poolwitness.version.*", "text", "an installed release, by its distribution", "3.3.3", example_name="poolwitness.version.psycopg_pool"),
    Field("poolwitness.records_dropped", "integer", "records that had no room in the agent's memory", 0),

    # The verdict
    Field("poolwitness.verdict", "text", "whether anything was found", "findings", known=("clean", "findings")),
    Field("poolwitness.hook", "text", "what asked for the verdict: `atexit`, `SIGTERM`, `multiprocessing`, `celery.worker_process_shutdown`", "atexit"),
    Field("poolwitness.resolved", "integer", "suspicions that resolved", 0),
    Field("poolwitness.ignored", "integer", "findings that POOLWITNESS_IGNORE names", 0),
    Field("poolwitness.suppressed", "integer", "lines that were held back, so as not to flood the log", 0),
    Field("poolwitness.lines_lost", "integer", "lines that could not be written", 0),

    # The live state, and what a killed process left
    Field("poolwitness.asked_by", "text", "what asked for the report: a signal, or `poolwitness dump`", "SIGUSR2"),
    Field("poolwitness.answered_by", "text", "what the report was read from: the agent, or the heap of a process without one", "agent", known=("agent", "heap")),
    Field("poolwitness.unknown", "texts", "what could not be known, in sentences", ["where each pool was created"]),
    Field("poolwitness.left_out", "integer", "pools, connections, requests, workers, findings and threads that had no room in the report", 0),
    Field("poolwitness.blackbox", "text", "the file it was in", "/var/lib/pw/4711.pwbox"),
    Field("poolwitness.program", "text", "the program", "app.py"),
    Field("poolwitness.begun_at", "text", "when its first pool was created, UTC", "2026-11-22T16:54:00.123456Z"),
    Field("poolwitness.last_seen_at", "text", "its last sign of life, UTC", "2026-11-22T17:54:00.123456Z"),

    # The agent
    Field("poolwitness.activated_by", "text", "how the agent was activated", "pth", known=("pth", "sitecustomize", "activate")),
    Field("poolwitness.hooks", "texts", "what the agent has patched", ["ConnectionPool.__init__"]),
    Field("poolwitness.part", "text", "which part of the agent", "sweeper"),
    Field("poolwitness.setting.level", "text", "POOLWITNESS_LEVEL", "watch"),
    Field("poolwitness.setting.output", "text", "POOLWITNESS_OUTPUT", "stderr"),
    Field("poolwitness.setting.format", "text", "POOLWITNESS_FORMAT", "auto"),
    Field("poolwitness.setting.profile", "text", "POOLWITNESS_PROFILE", "default"),
    Field("poolwitness.setting.close", "boolean", "POOLWITNESS_CLOSE", False),
    Field("poolwitness.setting.held_s", "number", "POOLWITNESS_HELD_S", 30.0, "s"),
    Field("poolwitness.setting.sweep_s", "number", "POOLWITNESS_SWEEP_S", 5.0, "s"),
    Field("poolwitness.setting.signal", "text", "POOLWITNESS_SIGNAL, and whether it is heard", "SIGUSR2"),
    Field("poolwitness.setting.sigterm", "text", "POOLWITNESS_SIGTERM, and whether SIGTERM is heard", "1"),
)
# fmt: on

FIELDS: dict[str, Field] = {field.name: field for field in _TABLE}
TYPES: dict[str, str] = {field.name: field.type for field in _TABLE if not field.is_family}
# By the part of the name before the `*`.
FAMILIES: dict[str, str] = {field.name[:-1]: field.type for field in _TABLE if field.is_family}


def field_type(name: str) -> str | None:
    """The type of a field; None for a name that the table does not have."""
    return TYPES.get(name) or FAMILIES.get(name[: name.rfind(".") + 1])
