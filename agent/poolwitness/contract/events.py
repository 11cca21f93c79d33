"""Which event has which fields. To add a field: its type in report/field_types.py, its meaning and its events here."""

from __future__ import annotations

from dataclasses import dataclass

from poolwitness.contract.fields import (
    CODE,
    CONFIDENCE,
    COUNTS,
    ENVELOPE,
    EXCEPTION,
    FIGURES,
    FIX,
    FRAME,
    HELD_BACK,
    HOLDER,
    MAYBE_EVERYWHERE,
    NOW,
    PLACE,
    POOL,
    POOLS_CLOSED,
    POOLS_OPEN,
    RECORDS_DROPPED,
    RULE,
    SLOTS_LOST,
    VERSIONS,
    WAITED,
    WORKERS_DEAD,
    Field,
)


@dataclass(frozen=True)
class Event:
    """One event: when it is written and what it may carry beside what every event has.

    Attributes:
        name: the value of ``event``.
        when: a sentence.
        fields: its own; any of them may be absent unless it is required.
        required: the names of those that are always there.
    """

    name: str
    when: str
    fields: tuple[Field, ...] = ()
    required: tuple[str, ...] = ()

    @property
    def every_field(self) -> tuple[Field, ...]:
        """Those that every event has, then its own."""
        return (*ENVELOPE, *self.fields, *MAYBE_EVERYWHERE)


# What only some rules say.
EVIDENCE = (
    Field("poolwitness.expected_exit_delay_s", "PW001: by how much the pool is going to hold up the exit", 20.0, "s"),
    Field("poolwitness.pool.threads_alive", "PW001: the pool's threads that are alive", 4),
    Field(
        "poolwitness.pool.threads",
        "PW001: each of them, with its state and where it stands",
        ["shop-worker-0 worker alive tid=4712 sleeping"],
    ),
    Field("poolwitness.exit_delay_s", "PW003: by how much this pool held up the exit, measured", 20.004, "s"),
    Field("poolwitness.exit_delay_total_s", "PW003: all pools of the process together, so far", 40.01, "s"),
    Field("poolwitness.exits_delayed", "PW003: how many pools of the process did so, those without a line included", 2),
    Field("poolwitness.related", "PW003: the rules that told the same fault before", ["PW001"]),
    Field("poolwitness.ending_s", "PW004: since when the program is ending", 12.5, "s"),
    Field("poolwitness.waits_for", "PW004: what it waits for", "thread 'flusher'"),
    Field("poolwitness.waits_for_count", "PW004: how many of those there are", 1),
    Field("poolwitness.waits_at", "PW004: the line at which that stands", "/srv/shop/flush.py:12"),
    Field(
        "poolwitness.waits_stacktrace",
        "PW004: where a worker of a pool stands that is waited for",
        'File "/srv/venv/lib/psycopg_pool/pool_async.py", line 679, in worker',
    ),
    Field("poolwitness.pools_open_at", "PW004: the lines that made the pools that are open", ["/srv/shop/db.py:14"]),
    Field("poolwitness.used_at", "PW005: the line that used the closed pool", "/srv/shop/report.py:9"),
    Field("poolwitness.used_by", "PW005: the function of that line", "nightly"),
    Field("poolwitness.uses", "PW005, PW401, PW402: how often", 3),
    POOLS_OPEN,
    *HOLDER,
    SLOTS_LOST,
    Field("poolwitness.slots_left", "PW101: slots that the pool still has", 9),
    Field("poolwitness.taken_at", "PW104, PW106: the line that took the connection", "/srv/shop/orders.py:31"),
    Field("poolwitness.returned_at", "PW105: the line that returned it", "/srv/shop/orders.py:40"),
    Field("poolwitness.count", "PW104 to PW106, PW202, PW204: how often until now", 5),
    Field("poolwitness.slots_unaccounted", "PW107: slots that neither the pool nor anybody has", 2),
    Field("poolwitness.slots_counted", "PW107: connections that the pool counts", 10),
    Field("poolwitness.request_at", "PW201: the line whose request was refused", "/srv/shop/cart.py:12"),
    WAITED,
    Field("poolwitness.requests_waiting", "PW201: requests that wait", 17),
    Field("poolwitness.slots_out", "PW201: connections that are out", 10),
    *EXCEPTION,
    Field("db.response.status_code", "PW202: the server's SQLSTATE", "28P01"),
    Field("poolwitness.connect_s", "PW203: what a connection takes to make, on average", 1.5, "s"),
    Field("poolwitness.configure_s", "PW203: what the callback `configure` takes, on average", 0.25, "s"),
    Field("poolwitness.phase", "PW203: which of the two is slow", "connect", known=("connect", "configure")),
    Field("poolwitness.worker.name", "PW301, PW302: the thread or task that died, or is stuck", "shop-worker-0"),
    Field("poolwitness.worker.role", "PW301: what it was", "worker", known=("worker", "scheduler")),
    WORKERS_DEAD,
    Field("poolwitness.worker.task", "PW302: what it is at", "AddConnection"),
    Field("poolwitness.worker.busy_s", "PW302: for how long", 42.5, "s"),
    Field("poolwitness.workers_busy", "PW302: workers of the pool that are at a task", 3),
    Field("poolwitness.worker.at", "PW302: the application's line at which it stands", "/srv/shop/db.py:9"),
    Field(
        "poolwitness.worker.stacktrace",
        "PW302: where it stands, outermost frame first",
        'File "/srv/shop/db.py", line 9, in configure',
    ),
    Field("poolwitness.opened_at", "PW401, PW402: the line that opened it", PLACE),
    Field("poolwitness.opened_pid", "PW401: the process that opened it", 4700),
    Field(
        "poolwitness.use",
        "PW401, PW402: what was done to it",
        "used",
        known=("used", "waited for", "closed", "given a connection back", "checked", "drained"),
    ),
    Field(
        "poolwitness.forked_by",
        "PW401: what forks the program's processes; absent where that is not known",
        "gunicorn",
        known=("gunicorn", "celery", "uwsgi", "multiprocessing"),
    ),
    Field("poolwitness.opened_loop", "PW402: the loop it was opened on", "_UnixSelectorEventLoop in MainThread"),
    Field("poolwitness.opened_loop_ended", "PW402: whether that loop is closed", True),
    Field("poolwitness.used_loop", "PW402: the loop it was used on", "_UnixSelectorEventLoop in Thread-1"),
    Field("poolwitness.defect", "PW501: the fault's name", "open-race"),
    Field("poolwitness.source", "PW501: where it is described", "psycopg issue 1388"),
)

EVENTS: tuple[Event, ...] = (
    Event(
        "poolwitness.agent.started",
        "The first pool is about to be made, or a forked child has used one of its parent's.",
        (
            Field("poolwitness.activated_by", "the way in", "pth", known=("pth", "sitecustomize", "activate")),
            Field("poolwitness.hooks", "what the agent has patched", ["ConnectionPool.__init__"]),
            VERSIONS,
            Field("poolwitness.setting.level", "POOLWITNESS_LEVEL", "watch"),
            Field("poolwitness.setting.output", "POOLWITNESS_OUTPUT", "stderr"),
            Field("poolwitness.setting.format", "POOLWITNESS_FORMAT", "auto"),
            Field("poolwitness.setting.profile", "POOLWITNESS_PROFILE", "default"),
            Field("poolwitness.setting.close", "POOLWITNESS_CLOSE", False),
            Field("poolwitness.setting.held_s", "POOLWITNESS_HELD_S", 30.0, "s"),
            Field("poolwitness.setting.sweep_s", "POOLWITNESS_SWEEP_S", 5.0, "s"),
            Field("poolwitness.setting.signal", "POOLWITNESS_SIGNAL, and whether it is heard", "SIGUSR2"),
            Field("poolwitness.setting.sigterm", "POOLWITNESS_SIGTERM, and whether SIGTERM is heard", "1"),
        ),
    ),
    Event("poolwitness.agent.setting_invalid", "A variable has a value that cannot be used; the default is."),
    Event(
        "poolwitness.agent.part_disabled",
        "A part of the agent failed and is off; the program is not affected.",
        (Field("poolwitness.part", "which part", "sweeper"),),
    ),
    Event("poolwitness.agent.failed", "The agent could not start, or could not give its verdict."),
    Event("poolwitness.pool.opened", "A pool was opened.", (*POOL, *CODE, HELD_BACK)),
    Event(
        "poolwitness.pool.closed",
        "A pool was closed, with its totals.",
        (
            *POOL,
            *CODE,
            Field("poolwitness.pool.open_s", "how long it was open", 3600.5, "s"),
            Field("poolwitness.pool.close_s", "how long the closing took", 0.02, "s"),
            Field("poolwitness.pool.closed_at", "the line that closed it", "/srv/shop/app.py:70"),
            *FIGURES,
            HELD_BACK,
        ),
    ),
    Event(
        "poolwitness.finding",
        "A rule has found a fault: the reason for all the rest.",
        (
            *RULE,
            CONFIDENCE,
            FIX,
            *POOL,
            *CODE,
            *EVIDENCE,
            HELD_BACK,
        ),
        (
            "poolwitness.rule",
            "poolwitness.rule_name",
            "poolwitness.confidence",
            "poolwitness.fix",
            "poolwitness.fingerprint",
        ),
    ),
    Event(
        "poolwitness.finding.resolved",
        "A suspicion came back: the connection was returned, or the worker came out of its task.",
        (
            *RULE,
            Field("poolwitness.held_s", "how long the connection was out, or the worker at its task", 41.5, "s"),
            *POOL,
            *FRAME,
            HELD_BACK,
        ),
        ("poolwitness.rule", "poolwitness.rule_name", "poolwitness.fingerprint"),
    ),
    Event(
        "poolwitness.finding.held_back",
        "Before the verdict, for each fingerprint of which findings were held back: how many of them no line has told of "
        "yet. At most a hundred of these, those with the most findings first.",
        (*RULE, CONFIDENCE, FIX, HELD_BACK, *CODE),
        (
            "poolwitness.rule",
            "poolwitness.rule_name",
            "poolwitness.confidence",
            "poolwitness.fix",
            "poolwitness.fingerprint",
        ),
    ),
    Event(
        "poolwitness.holder",
        "A row of a report: one connection that is out, and who has it. PW201 has one for each of the worst holders.",
        (
            Field("poolwitness.rank", "the worst is 1", 1),
            RULE[2],
            Field("poolwitness.idle_s", "since when the connection has not been at work", 30.0, "s"),
            *HOLDER,
            *POOL[:2],
            *CODE,
        ),
    ),
    Event(
        "poolwitness.state",
        "Somebody asked by a signal what lives: the process.",
        (Field("poolwitness.asked_by", "by what", "SIGUSR2"), POOLS_OPEN, *NOW, *COUNTS),
    ),
    Event(
        "poolwitness.pool.state",
        "Somebody asked what lives, or lived when the process was killed: one pool.",
        (
            *POOL,
            *CODE,
            *NOW,
            SLOTS_LOST,
            Field("poolwitness.workers_alive", "the pool's workers and schedulers that run", 4),
            WORKERS_DEAD,
            Field(
                "poolwitness.pool.state",
                "how far its life had come",
                "open",
                known=("new", "open", "closing", "closed", "dropped"),
            ),
            Field(
                "poolwitness.pool.inherited", "whether it was opened in a process that this one was forked from", False
            ),
            FIGURES[-1],
        ),
    ),
    Event(
        "poolwitness.postmortem",
        "`poolwitness postmortem` has read what a killed process left.",
        (
            Field("poolwitness.blackbox", "the file it was in", "/var/lib/pw/4711.pwbox"),
            Field("poolwitness.program", "the program", "app.py"),
            Field("poolwitness.begun_at", "when its first pool was made, UTC", "2026-11-22T16:54:00.123456Z"),
            Field("poolwitness.last_seen_at", "its last sign of life, UTC", "2026-11-22T17:54:00.123456Z"),
            POOLS_OPEN,
            POOLS_CLOSED,
            *NOW,
            COUNTS[1],
            RECORDS_DROPPED,
            VERSIONS,
        ),
    ),
    Event(
        "poolwitness.request",
        "A request that was waiting when the process was killed.",
        (WAITED, HOLDER[2], HOLDER[3], *POOL[:2], *CODE),
    ),
    Event(
        "poolwitness.verdict",
        "Once, at exit: the counts and the figures of all pools together.",
        (
            Field("poolwitness.verdict", "whether anything was found", "findings", known=("clean", "findings")),
            *COUNTS,
            Field(
                "poolwitness.hook",
                "what asked for the verdict: `atexit`, `SIGTERM`, `multiprocessing`, `celery.worker_process_shutdown`",
                "atexit",
            ),
            Field("poolwitness.pools_created", "pools that were made", 3),
            Field("poolwitness.pools_opened", "pools that were opened", 3),
            POOLS_CLOSED,
            POOLS_OPEN,
            Field("poolwitness.resolved", "suspicions that came back", 0),
            Field("poolwitness.ignored", "findings that POOLWITNESS_IGNORE names", 0),
            Field("poolwitness.suppressed", "lines that were held back, so as not to flood the log", 0),
            RECORDS_DROPPED,
            Field("poolwitness.lines_lost", "lines that could not be written", 0),
            *FIGURES,
        ),
        ("poolwitness.verdict",),
    ),
)


def every_field() -> dict[str, Field]:
    """All fields by name; one that several events have is described by the first."""
    found: dict[str, Field] = {}
    for event in EVENTS:
        for field in event.every_field:
            found.setdefault(field.name, field)
    return found
