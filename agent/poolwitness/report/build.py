"""Builds events from records and findings, one function for each event outside a state report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

from poolwitness.model.findings import Finding
from poolwitness.model.records import CheckoutRecord, Frame, PoolRecord, Snapshot, Stack
from poolwitness.model.wording import at_call, at_line, format_stack, holder_row, plural, pool_label
from poolwitness.report.pool_totals import PoolTotals, pool_figures
from poolwitness.report.rate_limit import RateLimit

Event = dict[str, Any]


class Tally(Protocol):
    """What has been reported in a process."""

    counts: Counter[str]
    resolved: int
    ignored: set[tuple[object, ...]]
    limit: RateLimit


STACK_FRAMES = 24


def pool_key(pool: PoolRecord) -> Event:
    """Which pool."""
    return {"db.client.connection.pool.name": pool.info.name[:256], "poolwitness.pool.id": pool.info.id}


def pool_fields(pool: PoolRecord) -> Event:
    """What every event about a pool has: which pool, its class, its database, and the line that created it."""
    event: Event = {
        **pool_key(pool),
        "poolwitness.pool.class": pool.info.cls,
        "poolwitness.pool.min_size": pool.min_size,
        "poolwitness.pool.num_workers": pool.info.num_workers,
    }
    if pool.max_size is not None:
        event["poolwitness.pool.max_size"] = pool.max_size
    target = pool.info.database
    for key, value in (
        ("server.address", target.host),
        ("server.port", target.port),
        ("db.namespace", target.dbname),
        ("db.user", target.user),
    ):
        if value is not None:
            event[key] = value
    if pool.info.created.origin is not None:
        event["poolwitness.pool.created_at"] = pool.info.created.origin.place
    if pool.info.created_in:
        event["poolwitness.pool.created_in"] = pool.info.created_in
    return event


def checkout_fields(pool: PoolRecord | None, checkout: CheckoutRecord) -> Event:
    """Who has a connection of a pool, since when, and the line that took it; without what is not known."""
    event: Event = {}
    if not math.isnan(checkout.held_s):
        event["poolwitness.held_s"] = round(checkout.held_s, 6)
        event["poolwitness.idle_s"] = round(checkout.idle_s, 6)
    if checkout.holder:
        event["poolwitness.holder"] = checkout.holder[:200]
        event["poolwitness.holder_kind"] = "task" if checkout.in_task else "thread"
        event["poolwitness.holder_alive"] = checkout.holder_alive
    event["poolwitness.transaction"] = checkout.status
    if pool is not None:
        event.update(pool_key(pool))
    event.update(code_fields(checkout.taken))
    if checkout.where is not None and checkout.where.origin is not None:
        event["poolwitness.holder_at"] = checkout.where.origin.place
    return event


def code_fields(stack: Stack | None) -> Event:
    """The line to open and its stack, outermost frame first as Python prints it."""
    if stack is None or stack.origin is None:
        return {}
    event = frame_fields(stack.origin)
    event["code.stacktrace"] = format_stack(stack, STACK_FRAMES)
    return event


def frame_fields(frame: Frame) -> Event:
    """``code.*`` of one frame."""
    return {"code.file.path": frame.file, "code.line.number": frame.line, "code.function.name": frame.function}


def started(versions: Mapping[str, str], settings: Mapping[str, Any], hooks: list[str], how: str) -> Event:
    """``poolwitness.agent.started``."""
    known = ", ".join(f"{name} {version}" for name, version in versions.items())
    event: Event = {
        "level": "info",
        "message": f"watching psycopg pools at level {settings['level']} ({known})",
        "poolwitness.activated_by": how,
        "poolwitness.hooks": hooks,
    }
    event.update({f"poolwitness.version.{name}": version for name, version in versions.items()})
    event.update({f"poolwitness.setting.{name}": value for name, value in settings.items()})
    return event


def pool_opened(pool: PoolRecord) -> Event:
    """``poolwitness.pool.opened``."""
    return {
        "level": "info",
        "timestamp": pool.life.opened_at,
        "message": f"{pool_label(pool)} opened, made at {at_line(pool.info.created.origin)}",
        **pool_fields(pool),
        **code_fields(pool.info.created),
    }


def pool_closed(pool: PoolRecord) -> Event:
    """``poolwitness.pool.closed``, with what the pool itself counted."""
    closed = pool.life.closed.origin if pool.life.closed is not None else None
    by = f" by {at_line(closed)}" if closed is not None and closed.kind != "stdlib" else ""
    open_s = max(0.0, (pool.life.closed_at or 0.0) - (pool.life.opened_at or pool.life.closed_at or 0.0))
    event: Event = {
        "level": "info",
        "message": f"{pool_label(pool)} closed{by} after {open_s:.1f} s, {plural(pool.stats.get('requests_num', 0), 'request')}",
        **pool_fields(pool),
        **code_fields(pool.info.created),
        "poolwitness.pool.open_s": round(open_s, 6),
    }
    if pool.life.close_s is not None:
        event["poolwitness.pool.close_s"] = round(pool.life.close_s, 6)
    if closed is not None:
        event["poolwitness.pool.closed_at"] = closed.place
    event.update(pool_figures(pool))
    return event


def finding(found: Finding) -> Event:
    """``poolwitness.finding``."""
    event: Event = {
        "level": found.severity,
        "message": found.message,
        "poolwitness.rule": found.rule.code,
        "poolwitness.rule_name": found.rule.name,
        "poolwitness.confidence": found.rule.confidence,
        "poolwitness.fix": found.fix,
        "poolwitness.fingerprint": found.fingerprint,
    }
    if found.pool is not None:
        event.update(pool_fields(found.pool))
    event.update(code_fields(found.stack))
    event.update(found.extra)
    return event


def holder(found: Finding, checkout: CheckoutRecord, rank: int, report_id: str) -> Event:
    """``poolwitness.holder``: one row of a finding on an exhausted pool."""
    return {
        "level": "info",
        "message": f"holder {rank} of {pool_label(found.pool) if found.pool is not None else 'a pool'}: {holder_row(checkout).strip()}",
        "poolwitness.report_id": report_id,
        "poolwitness.fingerprint": found.fingerprint,
        "poolwitness.rank": rank,
        **checkout_fields(found.pool, checkout),
    }


def resolved(found: Finding, held_s: float) -> Event:
    """``poolwitness.finding.resolved``: a suspicion resolved."""
    if found.rule.retractable == "worker":
        worker = f"worker {found.extra['poolwitness.worker.name']!r}"
        pool = f" of {pool_label(found.pool)}" if found.pool is not None else ""
        what = f"{worker}{pool} came back from its task"
    else:
        taken = at_call(found.stack) if found.stack is not None else at_line(None)
        what = f"the connection taken at {taken} was returned"
    event: Event = {
        "level": "info",
        "message": f"resolved after {held_s:.1f} s: {what}",
        "poolwitness.rule": found.rule.code,
        "poolwitness.rule_name": found.rule.name,
        "poolwitness.fingerprint": found.fingerprint,
        "poolwitness.held_s": round(held_s, 6),
    }
    if found.pool is not None:
        event.update(pool_fields(found.pool))
    if found.at is not None:
        event.update(frame_fields(found.at))
    return event


def part_disabled(name: str, failure: str | None) -> Event:
    """``poolwitness.agent.part_disabled``: one part of the agent failed."""
    return {
        "level": "warning",
        "message": f"the agent's part {name!r} failed ({failure}) and is off; the program is not affected",
        "poolwitness.part": name,
    }


def held_back(found: Finding, count: int) -> Event:
    """``poolwitness.finding.held_back``: more of a finding than were written."""
    event: Event = {
        "level": found.severity,
        "message": f"{plural(count, 'more finding')} of {found.rule.code} at {at_line(found.at)} held back, for example: {found.message}",
        "poolwitness.rule": found.rule.code,
        "poolwitness.rule_name": found.rule.name,
        "poolwitness.confidence": found.rule.confidence,
        "poolwitness.fix": found.fix,
        "poolwitness.fingerprint": found.fingerprint,
        "poolwitness.held_back": count,
    }
    event.update(code_fields(found.stack))
    return event


def verdict(
    teller: Tally, totals: Mapping[str, int], figures: PoolTotals, snapshot: Snapshot, hook: str, lines_lost: int
) -> Event:
    """``poolwitness.verdict``: once, at exit, with the figures of all pools together."""
    counts = dict(teller.counts)
    found = sum(counts.values())
    if found:
        listed = ", ".join(f"{count} x {code}" for code, count in sorted(counts.items()))
        message = f"{plural(found, 'finding')}: {listed}"
    else:
        message = f"clean: {plural(totals.get('opened', 0), 'pool')} opened, nothing found"
    event: Event = {
        "level": "warning" if found else "info",
        "message": message,
        "poolwitness.verdict": "findings" if found else "clean",
        "poolwitness.findings": found,
        "poolwitness.hook": hook,
        "poolwitness.pools_created": totals.get("created", 0),
        "poolwitness.pools_opened": totals.get("opened", 0),
        "poolwitness.pools_closed": totals.get("closed", 0),
        "poolwitness.pools_open": totals.get("open", 0),
        "poolwitness.resolved": teller.resolved,
        "poolwitness.ignored": len(teller.ignored),
        "poolwitness.suppressed": teller.limit.suppressed,
        "poolwitness.records_dropped": snapshot.dropped_records,
        "poolwitness.lines_lost": lines_lost,
        **figures.fields(),
    }
    event.update({f"poolwitness.found.{code}": count for code, count in sorted(counts.items())})
    return event
