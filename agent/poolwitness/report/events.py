"""Every event: its name, when it is written, and which fields it may have. `poolwitness.report.fields` describes those.

No program under the agent loads this table; the schema, the documentation and the tests are derived from it.
"""

from typing import NamedTuple


class EventKind(NamedTuple):
    """One kind of event.

    Attributes:
        name: the value of ``event``.
        when: a sentence.
        fields: the names of its own fields, beside `ALWAYS` and `SOMETIMES`.
        required: those of its own fields that are always there.
    """

    name: str
    when: str
    fields: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


# fmt: off
SOMETIMES = ("poolwitness.truncated", "poolwitness.report_id")
POOL = (
    "db.client.connection.pool.name", "poolwitness.pool.id", "poolwitness.pool.class", "poolwitness.pool.min_size",
    "poolwitness.pool.max_size", "poolwitness.pool.num_workers", "server.address", "server.port", "db.namespace",
    "db.user", "poolwitness.pool.created_at", "poolwitness.pool.created_in",
)
POOL_NAME = POOL[:2]
FRAME = ("code.file.path", "code.line.number", "code.function.name")
CODE = (*FRAME, "code.stacktrace")
EXCEPTION = ("exception.type", "poolwitness.raised_at")
RULE = ("poolwitness.rule", "poolwitness.rule_name", "poolwitness.fingerprint")
ADVICE = ("poolwitness.confidence", "poolwitness.fix")
HELD_BACK = ("poolwitness.held_back",)
HOLDER = (
    "poolwitness.checkout.id", "poolwitness.held_s", "poolwitness.holder", "poolwitness.holder_kind",
    "poolwitness.holder_alive", "poolwitness.transaction", "poolwitness.holder_at", "poolwitness.kept_by",
)
FIGURES = (
    "poolwitness.peak_in_use", "poolwitness.longest_wait_s", "poolwitness.longest_held_s",
    "poolwitness.longest_held_at", "poolwitness.stats.*",
)
NOW = ("poolwitness.connections_out", "poolwitness.requests_waiting")
PROCESS = ("poolwitness.pools_open", "poolwitness.pools_closed", *NOW, "poolwitness.findings", "poolwitness.version.*")

EVENTS: tuple[EventKind, ...] = (
    EventKind(
        "poolwitness.agent.started",
        "The first pool is about to be created, or a forked child has used one of its parent's.",
        (
            "poolwitness.activated_by", "poolwitness.hooks", "poolwitness.version.*", "poolwitness.setting.level",
            "poolwitness.setting.output", "poolwitness.setting.format", "poolwitness.setting.profile",
            "poolwitness.setting.close", "poolwitness.setting.held_s", "poolwitness.setting.sweep_s",
            "poolwitness.setting.signal", "poolwitness.setting.sigterm",
        ),
    ),
    EventKind("poolwitness.agent.setting_invalid", "A variable has a value that cannot be used; the default is."),
    EventKind(
        "poolwitness.agent.part_disabled",
        "A part of the agent failed and is off; the program is not affected.",
        ("poolwitness.part",),
    ),
    EventKind("poolwitness.agent.failed", "The agent could not start, or could not give its verdict."),
    EventKind("poolwitness.pool.opened", "A pool was opened.", (*POOL, *CODE, *HELD_BACK)),
    EventKind(
        "poolwitness.pool.closed",
        "A pool was closed, with its totals.",
        (
            *POOL, *CODE, "poolwitness.pool.open_s", "poolwitness.pool.close_s", "poolwitness.pool.closed_at",
            *FIGURES, *HELD_BACK,
        ),
    ),
    EventKind(
        "poolwitness.finding",
        "A rule has found a fault: the reason for all the rest. Each rule adds fields of its own.",
        (*RULE, *ADVICE, *POOL, *CODE, *HELD_BACK),
        (*RULE, *ADVICE),
    ),
    EventKind(
        "poolwitness.finding.resolved",
        "A suspicion resolved: the connection was returned, or the worker came out of its task.",
        (*RULE, "poolwitness.held_s", *POOL, *FRAME, *HELD_BACK),
        RULE,
    ),
    EventKind(
        "poolwitness.finding.held_back",
        "Before the verdict, for each fingerprint of which findings were held back: how many of them no line has "
        "reported yet. At most a hundred of these, those with the most findings first.",
        (*RULE, *ADVICE, *HELD_BACK, *CODE),
        (*RULE, *ADVICE),
    ),
    EventKind(
        "poolwitness.holder",
        "One connection that is checked out, and who has it: in a report of the live state, in what a killed process "
        "left, and after a finding on an exhausted pool for each of the worst holders.",
        (
            "poolwitness.rank", "poolwitness.fingerprint", *HOLDER, "poolwitness.idle_s", "poolwitness.called_at",
            "poolwitness.holder_stacktrace", *POOL_NAME, *CODE,
        ),
    ),
    EventKind(
        "poolwitness.request",
        "One request that waits for a connection, or was waiting when the process was killed.",
        ("poolwitness.waited_s", "poolwitness.holder", "poolwitness.holder_kind", *POOL_NAME, *CODE),
    ),
    EventKind(
        "poolwitness.state",
        "A signal or `poolwitness dump` asked for the live state. This is the process; its pools, connections and "
        "workers follow, with the same `poolwitness.report_id`.",
        (
            "poolwitness.asked_by", "poolwitness.answered_by", *PROCESS, "poolwitness.found.*", "poolwitness.unknown",
            "poolwitness.left_out",
        ),
    ),
    EventKind(
        "poolwitness.pool.state",
        "The state of one pool, in a report of the live state or of a killed process.",
        (
            *POOL, "poolwitness.pool.is_async", "poolwitness.pool.state", "poolwitness.pool.inherited",
            "poolwitness.pool.open_s", "poolwitness.pool.connect_failing", "poolwitness.kept_by", *CODE, *NOW,
            "poolwitness.slots_lost", "poolwitness.slots_unaccounted", "poolwitness.workers_alive",
            "poolwitness.workers_dead", "poolwitness.peak_in_use", "poolwitness.stats.*",
        ),
    ),
    EventKind(
        "poolwitness.worker",
        "A worker or scheduler of a pool that has died or is in a task, in a report of the live state.",
        (
            "poolwitness.worker.name", "poolwitness.worker.role", "poolwitness.worker.alive",
            "poolwitness.worker.task", "poolwitness.worker.busy_s", "poolwitness.worker.at",
            "poolwitness.worker.stacktrace", *EXCEPTION, *POOL_NAME,
        ),
    ),
    EventKind(
        "poolwitness.thread",
        "A thread of a process without the agent, and the line that it is at.",
        ("thread.name", "poolwitness.main_thread", *CODE),
    ),
    EventKind(
        "poolwitness.postmortem",
        "`poolwitness postmortem` has read what a killed process left. This is the process; the rest follows as after "
        "`poolwitness.state`.",
        (
            "poolwitness.blackbox", "poolwitness.program", "poolwitness.begun_at", "poolwitness.last_seen_at",
            *PROCESS, "poolwitness.records_dropped",
        ),
    ),
    EventKind(
        "poolwitness.verdict",
        "Once, at exit: the counts and the figures of all pools together.",
        (
            "poolwitness.verdict", "poolwitness.findings", "poolwitness.found.*", "poolwitness.hook",
            "poolwitness.pools_created", "poolwitness.pools_opened", "poolwitness.pools_closed",
            "poolwitness.pools_open", "poolwitness.resolved", "poolwitness.ignored", "poolwitness.suppressed",
            "poolwitness.records_dropped", "poolwitness.lines_lost", *FIGURES,
        ),
        ("poolwitness.verdict",),
    ),
)
# fmt: on
