"""The living state of a process as one document: what `poolwitness dump` is answered with.

The document is promised to users: `docs/dump.md` describes it, ``poolwitness.dump`` is its version.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from typing import Any

from poolwitness.model.findings import Finding
from poolwitness.model.records import CheckoutRecord, PoolRecord, Snapshot, Stack, WorkerRecord
from poolwitness.report.redact import clean, clean_text

VERSION = 1
MOST_POOLS = 500
MOST_FINDINGS = 500
STACK_FRAMES = 24

Document = dict[str, Any]


def document(snapshot: Snapshot, found: Sequence[Finding], source: str = "agent") -> Document:
    """What lives in a process now.

    Args:
        snapshot: of that process; what is not known of a checkout is NaN or empty in it.
        found: what the rules say of it.
        source: ``agent``, or ``heap`` where nobody was there to see what happened before.

    Returns:
        Plain dicts, lists and scalars; what is not known is None, and ``unknown`` says so in words.
    """
    process = snapshot.process
    pools = [pool for pool in snapshot.pools if pool.life.state != "dropped" or pool.lost]
    return {
        "poolwitness.dump": VERSION,
        "source": source,
        "taken_at": _utc(snapshot.taken_at),
        "process": {
            "pid": process.pid,
            "python": _dotted(process.python),
            "versions": {name: _dotted(version) for name, version in process.versions.items() if name != "python"},
        },
        "pools": [_pool(pool, snapshot.taken_at) for pool in pools[:MOST_POOLS]],
        "pools_left_out": max(0, len(pools) - MOST_POOLS),
        "findings": [_finding(finding) for finding in found[:MOST_FINDINGS]],
        "findings_left_out": max(0, len(found) - MOST_FINDINGS),
        "threads": [],
        "unknown": [],
    }


def encode(living: Document) -> bytes:
    """The document as one line of strict JSON."""
    return json.dumps(living, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def _pool(pool: PoolRecord, now: float) -> Document:
    return {
        "id": pool.info.id,
        "name": clean_text(pool.info.name, 256),
        "class": clean_text(pool.info.cls, 256),
        "is_async": pool.info.is_async,
        "state": pool.life.state,
        "inherited": pool.life.inherited,
        "made_at": _place(pool.info.created),
        "made_stack": _lines(pool.info.created),
        "open_s": _seconds(now - pool.life.opened_at)
        if pool.life.opened_at is not None and pool.life.state == "open"
        else None,
        "min_size": pool.min_size,
        "max_size": pool.max_size,
        "size": pool.stats.get("pool_size"),
        "idle": pool.stats.get("pool_available"),
        "out": len(pool.checkouts),
        "waiting": waiting_of(pool),
        "peak_out": pool.usage.peak_in_use or None,
        "target": {
            "host": _text(pool.info.database.host),
            "port": pool.info.database.port,
            "dbname": _text(pool.info.database.dbname),
            "user": _text(pool.info.database.user),
        },
        "connecting_fails": pool.connects.failing,
        "kept_by": _text(pool.life.retained_by),
        "checkouts": [_checkout(checkout) for checkout in oldest_first(pool)],
        "lost": [_checkout(checkout) for checkout in pool.lost[:STACK_FRAMES]],
        "lost_count": len(pool.lost),
        "unaccounted": pool.unaccounted,
        "workers": [_worker(worker) for worker in pool.workers],
    }


def _checkout(checkout: CheckoutRecord) -> Document:
    caller = checkout.taken.caller
    return {
        "held_s": _seconds(checkout.held_s),
        "idle_s": _seconds(checkout.idle_s),
        "taken_at": _place(checkout.taken),
        "called_at": clean_text(caller.place, 1000) if caller is not None else None,
        "taken_stack": _lines(checkout.taken),
        "holder": _text(checkout.holder),
        "holder_kind": ("task" if checkout.in_task else "thread") if checkout.holder else None,
        "holder_alive": checkout.holder_alive if checkout.holder else None,
        "transaction": checkout.status,
        "now_at": _place(checkout.where),
        "now_stack": _lines(checkout.where),
        "kept_by": _text(checkout.retained_by),
        "suspected": checkout.suspected,
    }


def _worker(worker: WorkerRecord) -> Document:
    return {
        "name": clean_text(worker.name, 200),
        "role": worker.role,
        "alive": worker.alive,
        "native_id": worker.native_id,
        "now_at": _innermost(worker.where),
        "error_type": worker.error_type,
        "error_text": _text(worker.error_text),
    }


def _finding(finding: Finding) -> Document:
    return {
        "rule": finding.rule.code,
        "name": finding.rule.name,
        "confidence": finding.rule.confidence,
        "level": finding.severity,
        "message": clean(finding.message),
        "fix": clean(finding.fix),
        "at": finding.at.place if finding.at is not None else None,
        "pool": finding.pool.info.id if finding.pool is not None else None,
        "fingerprint": finding.fingerprint,
    }


def oldest_first(pool: PoolRecord) -> list[CheckoutRecord]:
    """The checkouts of a pool; those of unknown age last."""
    return sorted(pool.checkouts, key=lambda checkout: -checkout.held_s if not math.isnan(checkout.held_s) else 0.0)


def waiting_of(pool: PoolRecord) -> int | None:
    """How many requests wait for a connection of a pool."""
    return pool.stats.get("requests_waiting")


def _place(stack: Stack | None) -> str | None:
    return clean_text(stack.origin.place, 1000) if stack is not None and stack.origin is not None else None


def _innermost(stack: Stack | None) -> str | None:
    if stack is None or not stack.frames:
        return None
    return clean_text(f"{stack.frames[0].place} in {stack.frames[0].function}", 1000)


def _lines(stack: Stack | None) -> list[str]:
    if stack is None:
        return []
    return [clean_text(f"{frame.place} in {frame.function}", 1000) for frame in stack.frames[:STACK_FRAMES]]


def _seconds(seconds: float) -> float | None:
    return round(seconds, 6) if math.isfinite(seconds) else None


def _text(text: str | None) -> str | None:
    return clean_text(text, 500) if text else None


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _utc(at: float) -> str:
    whole = int(at)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((at - whole) * 1e6):06d}Z"
