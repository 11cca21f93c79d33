"""Which fields each rule adds to its finding."""

from __future__ import annotations

from poolwitness.report.events import HOLDER

RULE_FIELDS: dict[str, tuple[str, ...]] = {
    "PW001": (
        "poolwitness.expected_exit_delay_s",
        "poolwitness.kept_by",
        "poolwitness.pool.threads_alive",
        "poolwitness.pool.threads",
    ),
    "PW003": (
        "poolwitness.exit_delay_s",
        "poolwitness.exit_delay_total_s",
        "poolwitness.exits_delayed",
        "poolwitness.related",
        "exception.type",
    ),
    "PW004": (
        "poolwitness.ending_s",
        "poolwitness.waits_for",
        "poolwitness.waits_for_count",
        "poolwitness.waits_at",
        "poolwitness.waits_stacktrace",
        "poolwitness.pools_open_at",
        "exception.type",
    ),
    "PW005": ("poolwitness.used_at", "poolwitness.used_by", "poolwitness.uses"),
    "PW007": ("poolwitness.pools_open",),
    "PW101": (*HOLDER, "poolwitness.slots_lost", "poolwitness.slots_left"),
    "PW102": HOLDER,
    "PW103": HOLDER,
    "PW104": (
        "poolwitness.holder",
        "poolwitness.held_s",
        "poolwitness.taken_at",
        "poolwitness.returned_at",
        "poolwitness.count",
    ),
    "PW105": (
        "poolwitness.holder",
        "poolwitness.held_s",
        "poolwitness.taken_at",
        "poolwitness.returned_at",
        "poolwitness.count",
    ),
    "PW106": ("poolwitness.holder", "poolwitness.held_s", "poolwitness.taken_at", "poolwitness.count"),
    "PW107": ("poolwitness.slots_unaccounted", "poolwitness.slots_counted", "poolwitness.related"),
    "PW201": (
        "poolwitness.request_at",
        "poolwitness.waited_s",
        "poolwitness.holder",
        "poolwitness.requests_waiting",
        "poolwitness.slots_out",
        "poolwitness.slots_lost",
        "exception.type",
    ),
    "PW202": ("exception.type", "exception.message", "db.response.status_code", "poolwitness.count"),
    "PW203": ("poolwitness.connect_s", "poolwitness.configure_s", "poolwitness.phase"),
    "PW204": ("poolwitness.count",),
    "PW301": (
        "poolwitness.worker.name",
        "poolwitness.worker.role",
        "poolwitness.workers_dead",
        "exception.type",
        "exception.message",
    ),
    "PW302": (
        "poolwitness.worker.name",
        "poolwitness.worker.task",
        "poolwitness.worker.busy_s",
        "poolwitness.worker.at",
        "poolwitness.worker.stacktrace",
        "poolwitness.workers_busy",
    ),
    "PW401": (
        "poolwitness.opened_at",
        "poolwitness.opened_pid",
        "poolwitness.use",
        "poolwitness.uses",
        "poolwitness.forked_by",
    ),
    "PW402": (
        "poolwitness.opened_at",
        "poolwitness.opened_loop",
        "poolwitness.opened_loop_ended",
        "poolwitness.used_loop",
        "poolwitness.use",
        "poolwitness.uses",
    ),
    "PW501": ("poolwitness.defect", "poolwitness.source"),
}
