"""The type of every field, the same in all events: a store that has seen a number refuses a text.

`poolwitness.contract` says what each field means; this is all that a running program needs of it.
"""

from __future__ import annotations

import re
from typing import Any

from poolwitness.report.redact import LARGEST_EXACT

_TEXTS = """
    timestamp level event message logger
    poolwitness.schema_version poolwitness.run_id poolwitness.report_id
    poolwitness.rule poolwitness.rule_name poolwitness.confidence poolwitness.fix poolwitness.fingerprint
    poolwitness.verdict poolwitness.hook poolwitness.activated_by poolwitness.part poolwitness.asked_by
    db.client.connection.pool.name server.address db.namespace db.user db.response.status_code
    poolwitness.pool.class poolwitness.pool.created_at poolwitness.pool.created_in poolwitness.pool.closed_at
    poolwitness.pool.state poolwitness.kept_by
    code.file.path code.function.name code.stacktrace exception.type exception.message
    poolwitness.holder poolwitness.holder_kind poolwitness.holder_at poolwitness.transaction
    poolwitness.taken_at poolwitness.returned_at poolwitness.used_at poolwitness.used_by poolwitness.request_at
    poolwitness.opened_at poolwitness.use poolwitness.forked_by poolwitness.opened_loop poolwitness.used_loop
    poolwitness.longest_held_at poolwitness.phase poolwitness.defect poolwitness.source
    poolwitness.worker.name poolwitness.worker.role poolwitness.worker.task poolwitness.worker.at
    poolwitness.worker.stacktrace poolwitness.waits_for poolwitness.waits_at poolwitness.waits_stacktrace
    poolwitness.blackbox poolwitness.program poolwitness.begun_at poolwitness.last_seen_at
    poolwitness.setting.level poolwitness.setting.output poolwitness.setting.format poolwitness.setting.profile
    poolwitness.setting.signal poolwitness.setting.sigterm
"""
_INTEGERS = """
    process.pid poolwitness.seq server.port code.line.number
    poolwitness.pool.id poolwitness.pool.min_size poolwitness.pool.max_size poolwitness.pool.num_workers
    poolwitness.pool.threads_alive
    poolwitness.checkout.id poolwitness.rank poolwitness.count poolwitness.uses poolwitness.opened_pid
    poolwitness.slots_lost poolwitness.slots_left poolwitness.slots_out poolwitness.slots_unaccounted
    poolwitness.slots_counted poolwitness.requests_waiting poolwitness.connections_out poolwitness.peak_in_use
    poolwitness.workers_alive poolwitness.workers_dead poolwitness.workers_busy poolwitness.waits_for_count
    poolwitness.findings poolwitness.resolved poolwitness.ignored poolwitness.suppressed
    poolwitness.held_back poolwitness.exits_delayed poolwitness.records_dropped poolwitness.lines_lost
    poolwitness.pools_created poolwitness.pools_opened poolwitness.pools_closed poolwitness.pools_open
"""
_NUMBERS = """
    poolwitness.held_s poolwitness.idle_s poolwitness.waited_s poolwitness.pool.open_s poolwitness.pool.close_s
    poolwitness.longest_wait_s poolwitness.longest_held_s poolwitness.connect_s poolwitness.configure_s
    poolwitness.expected_exit_delay_s poolwitness.exit_delay_s poolwitness.exit_delay_total_s
    poolwitness.worker.busy_s poolwitness.ending_s
    poolwitness.setting.held_s poolwitness.setting.sweep_s
"""
_BOOLEANS = """
    poolwitness.truncated poolwitness.holder_alive poolwitness.opened_loop_ended poolwitness.pool.inherited poolwitness.setting.close
"""
_LISTS = "poolwitness.hooks poolwitness.related poolwitness.pool.threads poolwitness.pools_open_at"

KINDS: dict[str, str] = {
    name: kind
    for kind, names in (
        ("text", _TEXTS),
        ("integer", _INTEGERS),
        ("number", _NUMBERS),
        ("boolean", _BOOLEANS),
        ("texts", _LISTS),
    )
    for name in names.split()
}
# Fields whose last part is not ours to choose, by what stands before it.
FAMILIES: dict[str, str] = {
    "poolwitness.stats.": "integer",
    "poolwitness.found.": "integer",
    "poolwitness.version.": "text",
}
# What a reader takes for granted: a value that is not of this shape becomes one that is.
_SHAPES: dict[str, tuple[re.Pattern[str], str]] = {
    "level": (re.compile("info|warning|error"), "warning"),
    "poolwitness.rule": (re.compile("PW[0-9]{3}"), "PW000"),
    "poolwitness.fingerprint": (re.compile("[0-9a-f]{16}"), "0" * 16),
    "poolwitness.report_id": (re.compile("[0-9a-f]{16}"), "0" * 16),
}


def kind_of(name: str) -> str | None:
    """``text``, ``integer``, ``number``, ``boolean`` or ``texts``; None for a field that nobody has described."""
    kind = KINDS.get(name)
    if kind is None:
        kind = FAMILIES.get(name[: name.rfind(".") + 1])
    return kind


def conform(event: dict[str, Any]) -> dict[str, Any]:
    """An event in which every field has its type.

    Args:
        event: of plain JSON values, as `redact.clean` leaves them.

    Returns:
        The same fields: a number that is none is left out, a text that is none is spelled. Nothing is null.
    """
    conformed = {}
    for name, value in event.items():
        kind = kind_of(name)
        if kind == "text":
            value = _text(value)
            shape = _SHAPES.get(name)
            if shape is not None and not shape[0].fullmatch(value):
                value = shape[1]
        elif kind is not None:
            value = _CONVERT[kind](value)
        if value is not None:
            conformed[name] = value
    return conformed


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    import json

    return json.dumps(value, ensure_ascii=False)[:200]


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # What is past the limit has been made a float: the limit stands for it.
    return int(max(-LARGEST_EXACT, min(LARGEST_EXACT, value)))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in value] if isinstance(value, list) else [_text(value)]


_CONVERT = {"integer": _integer, "number": _number, "boolean": _boolean, "texts": _texts}
