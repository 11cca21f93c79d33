"""Builds events from records and findings, one function for each event outside a state report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

from poolwitness.model.findings import Finding
from poolwitness.model.records import CheckoutRecord, Frame, PoolRecord, Snapshot, Stack
from poolwitness.model.wording import at_call, at_line, format_stack, holder_fields, holder_row, plural, pool_label
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
    database = pool.info.database
    return known(
        {
            **pool_key(pool),
            "poolwitness.pool.class": pool.info.cls,
            "poolwitness.pool.min_size": pool.min_size,
            "poolwitness.pool.max_size": pool.max_size,
            "poolwitness.pool.num_workers": pool.info.num_workers,
            "server.address": database.host,
            "server.port": database.port,
            "db.namespace": database.dbname,
            "db.user": database.user,
            "poolwitness.pool.created_at": pool.info.created.place or None,
            "poolwitness.pool.created_in": pool.info.created_in or None,
        }
    )


def known(event: Event) -> Event:
    """An event without the fields that are None."""
    return {name: value for name, value in event.items() if value is not None}


def checkout_fields(pool: PoolRecord | None, checkout: CheckoutRecord) -> Event:
    """Who has a connection of a pool, since when, and the line that took it; without what is not known."""
    event: Event = {**holder_fields(checkout), **code_fields(checkout.taken)}
    if not math.isnan(checkout.held_s):
        event["poolwitness.held_s"] = round(checkout.held_s, 6)
        event["poolwitness.idle_s"] = round(checkout.idle_s, 6)
    return event | (pool_key(pool) if pool is not None else {})


def code_fields(stack: Stack | None) -> Event:
    """The line to open and its stack, outermost frame first as Python prints it."""
    if stack is None or stack.origin is None:
        return {}
    return {**frame_fields(stack.origin), "code.stacktrace": format_stack(stack, STACK_FRAMES)}


def frame_fields(frame: Frame) -> Event:
    """``code.*`` of one frame."""
    return {"code.file.path": frame.file, "code.line.number": frame.line, "code.function.name": frame.function}


def started(versions: Mapping[str, str], settings: Mapping[str, Any], hooks: list[str], how: str) -> Event:
    """``poolwitness.agent.started``."""
    releases = ", ".join(f"{name} {version}" for name, version in versions.items())
    return {
        "level": "info",
        "message": f"watching psycopg pools at level {settings['level']} ({releases})",
        "poolwitness.activated_by": how,
        "poolwitness.hooks": hooks,
        **{f"poolwitness.version.{name}": version for name, version in versions.items()},
        **{f"poolwitness.setting.{name}": value for name, value in settings.items()},
    }


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
    life = pool.life
    closed = life.closed.origin if life.closed is not None else None
    by = f" by {at_line(closed)}" if closed is not None and closed.kind != "stdlib" else ""
    open_s = max(0.0, (life.closed_at or 0.0) - (life.opened_at or life.closed_at or 0.0))
    return known(
        {
            "level": "info",
            "message": f"{pool_label(pool)} closed{by} after {open_s:.1f} s, {plural(pool.stats.get('requests_num', 0), 'request')}",
            **pool_fields(pool),
            **code_fields(pool.info.created),
            "poolwitness.pool.open_s": round(open_s, 6),
            "poolwitness.pool.close_s": round(life.close_s, 6) if life.close_s is not None else None,
            "poolwitness.pool.closed_at": closed.place if closed is not None else None,
            **pool_figures(pool),
        }
    )


def finding(found: Finding) -> Event:
    """``poolwitness.finding``."""
    return {
        "level": found.severity,
        "message": found.message,
        **_rule_fields(found),
        **_advice_fields(found),
        **(pool_fields(found.pool) if found.pool is not None else {}),
        **code_fields(found.stack),
        **found.extra,
    }


def _rule_fields(found: Finding) -> Event:
    return {
        "poolwitness.rule": found.rule.code,
        "poolwitness.rule_name": found.rule.name,
        "poolwitness.fingerprint": found.fingerprint,
    }


def _advice_fields(found: Finding) -> Event:
    return {"poolwitness.confidence": found.rule.confidence, "poolwitness.fix": found.fix}


def holder(found: Finding, checkout: CheckoutRecord, rank: int, report_id: str) -> Event:
    """``poolwitness.holder``: one row of a finding on an exhausted pool."""
    pool = pool_label(found.pool) if found.pool is not None else "a pool"
    return {
        "level": "info",
        "message": f"holder {rank} of {pool}: {holder_row(checkout).strip()}",
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
    return {
        "level": "info",
        "message": f"resolved after {held_s:.1f} s: {what}",
        **_rule_fields(found),
        "poolwitness.held_s": round(held_s, 6),
        **(pool_fields(found.pool) if found.pool is not None else {}),
        **(frame_fields(found.at) if found.at is not None else {}),
    }


def part_disabled(name: str, failure: str | None) -> Event:
    """``poolwitness.agent.part_disabled``: one part of the agent failed."""
    return {
        "level": "warning",
        "message": f"the agent's part {name!r} failed ({failure}) and is off; the program is not affected",
        "poolwitness.part": name,
    }


def held_back(found: Finding, count: int) -> Event:
    """``poolwitness.finding.held_back``: more of a finding than were written."""
    return {
        "level": found.severity,
        "message": f"{plural(count, 'more finding')} of {found.rule.code} at {at_line(found.at)} held back, for example: {found.message}",
        **_rule_fields(found),
        **_advice_fields(found),
        "poolwitness.held_back": count,
        **code_fields(found.stack),
    }


def verdict(
    reported: Tally, totals: Mapping[str, int], figures: PoolTotals, snapshot: Snapshot, hook: str, lines_lost: int
) -> Event:
    """``poolwitness.verdict``: once, at exit, with the figures of all pools together."""
    counts = sorted(reported.counts.items())
    found = sum(count for _, count in counts)
    if found:
        message = f"{plural(found, 'finding')}: {', '.join(f'{count} x {code}' for code, count in counts)}"
    else:
        message = f"clean: {plural(totals.get('opened', 0), 'pool')} opened, nothing found"
    return {
        "level": "warning" if found else "info",
        "message": message,
        "poolwitness.verdict": "findings" if found else "clean",
        "poolwitness.findings": found,
        "poolwitness.hook": hook,
        "poolwitness.pools_created": totals.get("created", 0),
        "poolwitness.pools_opened": totals.get("opened", 0),
        "poolwitness.pools_closed": totals.get("closed", 0),
        "poolwitness.pools_open": totals.get("open", 0),
        "poolwitness.resolved": reported.resolved,
        "poolwitness.ignored": len(reported.ignored),
        "poolwitness.suppressed": reported.limit.suppressed,
        "poolwitness.records_dropped": snapshot.dropped_records,
        "poolwitness.lines_lost": lines_lost,
        **figures.fields(),
        **{f"poolwitness.found.{code}": count for code, count in counts},
    }
