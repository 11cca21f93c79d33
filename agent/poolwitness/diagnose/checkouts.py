"""Connections that were lost, kept, held long, or came back in a bad state."""

from __future__ import annotations

from collections.abc import Iterator

from poolwitness.diagnose.lifecycle import own
from poolwitness.model.findings import RULES, Finding, Value
from poolwitness.model.records import CheckoutFault, CheckoutRecord, PoolRecord, Snapshot, Stack
from poolwitness.model.wording import at_call, at_line, holder_of, plural, pool_label

# A pool may be closed while requests are being served; they have this long to end.
CLOSE_GRACE_S = 2.0


def _give_back(pool: PoolRecord) -> str:
    if pool.info.django_alias:
        return (
            f"call `connections[{pool.info.django_alias!r}].close()` (from django.db import connections) in a finally at the end "
            "of the thread or task: Django gives its connection back only then"
        )
    return f"use `{_with(pool)} pool.connection() as conn:`, which gives the connection back whatever happens"


def _with(pool: PoolRecord) -> str:
    return "async with" if pool.info.is_async else "with"


def _end_transaction(pool: PoolRecord) -> str:
    if pool.info.django_alias:
        return (
            f"do not call `connections[{pool.info.django_alias!r}].close()` inside `transaction.atomic()`: leave the block first, "
            "which commits; with autocommit off, call `transaction.commit()` (or `transaction.rollback()`) before"
        )
    return (
        "call conn.commit() (or conn.rollback(), if nothing was written) before putconn(), or use "
        f"`{_with(pool)} pool.connection()`, which commits"
    )


def _fields(checkout: CheckoutRecord) -> dict[str, Value]:
    fields: dict[str, Value] = {
        "poolwitness.checkout.id": checkout.id,
        "poolwitness.held_s": round(checkout.held_s, 6),
        "poolwitness.holder": checkout.holder[:200],
        "poolwitness.holder_kind": "task" if checkout.in_task else "thread",
        "poolwitness.holder_alive": checkout.holder_alive,
        "poolwitness.transaction": checkout.status,
    }
    if checkout.retained_by:
        fields["poolwitness.kept_by"] = checkout.retained_by
    if checkout.where is not None and checkout.where.origin is not None:
        fields["poolwitness.holder_at"] = checkout.where.origin.place
    return fields


def lost(snapshot: Snapshot) -> Iterator[Finding]:
    """PW101: a checkout that was garbage-collected without being returned; the pool counts it for ever."""
    for pool in own(snapshot):
        lost_from_open = [checkout for checkout in pool.lost if checkout.lost_from_open]
        for index, checkout in enumerate(lost_from_open, start=1):
            size = pool.most
            left = max(0, size - index)
            # A null pool without a limit has as many as are asked for.
            remaining = f": {left} of {plural(size, 'slot')} left" if size else ""
            yield Finding(
                rule=RULES["PW101"],
                message=(
                    f"a connection of {pool_label(pool)}, taken at {at_call(checkout.taken)} by "
                    f"{holder_of(checkout)}, was garbage-collected without being returned{remaining}"
                ),
                fix=_give_back(pool)
                + ("" if pool.info.django_alias else "; with getconn(), put putconn() in a finally"),
                key=("PW101", pool.info.id, checkout.id, checkout.taken.origin, index),
                pool=pool,
                stack=checkout.taken,
                level="error" if size and not left else "",
                extra={
                    **_fields(checkout),
                    "poolwitness.slots_lost": index,
                    **({"poolwitness.slots_left": left} if size else {}),
                },
            )


def not_returned(snapshot: Snapshot) -> Iterator[Finding]:
    """PW102: out when its pool closed or at the verdict, or its holder has ended."""
    for pool in own(snapshot):
        if pool.life.state == "dropped":
            continue
        closed_since_s = snapshot.taken_at - pool.life.closed_at if pool.life.closed_at is not None else None
        for checkout in pool.checkouts:
            if checkout.suspected and checkout.holder_alive:
                continue  # told as PW103
            if snapshot.killed and checkout.holder_alive and pool.life.state == "open":
                continue  # the signal came in the middle of its work
            if snapshot.moment == "verdict":
                why = "when the program ended"
            elif closed_since_s is not None and closed_since_s > CLOSE_GRACE_S:
                by = pool.life.closed.origin if pool.life.closed is not None else None
                at = f" at {at_line(by)}" if by is not None and by.kind != "stdlib" else ""
                why = f"{closed_since_s:.0f} s after its pool was closed{at}"
            elif not checkout.holder_alive and is_held_long(checkout, snapshot.held_limit_s):
                why = f"although the {'task' if checkout.in_task else 'thread'} that took it has ended"
            else:
                continue
            yield _not_returned(pool, checkout, why, snapshot.moment == "verdict")
        if pool.life.state == "closed":
            for checkout in pool.lost:
                if checkout.lost_from_open:
                    continue  # told as PW101
                yield _not_returned(pool, checkout, "and was garbage-collected after its pool had been closed")


def _not_returned(pool: PoolRecord, checkout: CheckoutRecord, why: str, at_the_end: bool = True) -> Finding:
    return Finding(
        rule=RULES["PW102"],
        message=(
            f"a connection of {pool_label(pool)}, taken at {at_call(checkout.taken)} by {holder_of(checkout)} "
            f"{checkout.held_s:.1f} s before, {'was never' if at_the_end else 'has not been'} returned: still out {why}"
            + (f"; kept alive by {checkout.retained_by}" if checkout.retained_by else "")
            if not checkout.lost
            else f"a connection of {pool_label(pool)}, taken at {at_call(checkout.taken)} by {holder_of(checkout)}, "
            f"was never returned {why}"
        ),
        fix=f"{_give_back(pool)}; return every connection before the pool is closed",
        key=("PW102", pool.info.id, checkout.id, checkout.taken.origin),
        pool=pool,
        stack=checkout.taken,
        extra=_fields(checkout),
    )


def held_long(snapshot: Snapshot) -> Iterator[Finding]:
    """PW103: out for longer than POOLWITNESS_HELD_S, and not at work."""
    if snapshot.moment == "verdict":
        return
    for pool in own(snapshot):
        if pool.life.state != "open":
            continue
        for checkout in pool.checkouts:
            if not is_held_long(checkout, snapshot.held_limit_s) or not checkout.holder_alive:
                continue
            doing = ""
            if checkout.where is not None and checkout.where.origin is not None:
                doing = f"; its holder now stands at {at_line(checkout.where.holding)}"
            yield Finding(
                rule=RULES["PW103"],
                message=(
                    f"a connection of {pool_label(pool)}, taken at {at_call(checkout.taken)} by "
                    f"{holder_of(checkout)}, has been out for {checkout.held_s:.1f} s, {checkout.status}{doing}"
                ),
                fix=(
                    "give the connection back before slow work that is not the database's; if one is held on purpose "
                    f"(LISTEN), say so: POOLWITNESS_IGNORE=PW103:{_glob(checkout)}"
                ),
                key=("PW103", pool.info.id, checkout.id, checkout.taken.origin),
                pool=pool,
                stack=checkout.taken,
                extra=_fields(checkout),
            )


def is_held_long(checkout: CheckoutRecord, limit_s: float) -> bool:
    """Whether a checkout is to be suspected: old, and idle for half the limit at least."""
    return checkout.held_s >= limit_s and checkout.status != "active" and checkout.idle_s >= limit_s / 2


def _glob(checkout: CheckoutRecord) -> str:
    # A context manager's file would name everybody who uses it.
    holding = checkout.taken.holding
    return "*/" + holding.file.replace("\\", "/").rpartition("/")[2] if holding is not None else "FILE"


def adapters_outside_configure(snapshot: Snapshot) -> Iterator[Finding]:
    """PW204: the same adapters are registered on checkout after checkout."""
    for pool in own(snapshot):
        for line, count in pool.misuse.adapters:
            callback = "async def configure(conn):" if pool.info.is_async else "def configure(conn):"
            yield Finding(
                rule=RULES["PW204"],
                message=(
                    f"adapters are registered at {at_line(line.origin)} on every connection taken from {pool_label(pool)}, "
                    f"{count} times so far: once a connection is enough"
                ),
                fix=f"move it into a callback, `{callback} ...`, and pass configure=configure to the pool made at {at_line(pool.info.created.origin)}",
                key=("PW204", pool.info.id, line.origin),
                pool=pool,
                stack=line,
                extra={"poolwitness.count": count},
            )


_RULE_OF = {"in_transaction": "PW104", "broken": "PW105", "nested": "PW106"}


def incidents(snapshot: Snapshot) -> Iterator[Finding]:
    """PW104, PW105, PW106: what happened to checkouts, once for each pair of lines."""
    for pool in own(snapshot):
        for incident in pool.misuse.faults:
            key = (_RULE_OF[incident.kind], pool.info.id, incident.taken.origin, incident.at.origin)
            extra: dict[str, Value] = {
                "poolwitness.holder": incident.holder[:200],
                "poolwitness.held_s": round(incident.held_s, 6),
                "poolwitness.taken_at": incident.taken.origin.place if incident.taken.origin else "",
                "poolwitness.count": incident.count,
            }
            taken, at = at_line(incident.taken.origin), at_line(incident.at.origin)
            if incident.kind == "in_transaction":
                yield Finding(
                    rule=RULES["PW104"],
                    message=(
                        f"a connection of {pool_label(pool)}, taken at {taken}, was returned at {at} inside a transaction: "
                        "the pool rolled it back, and whatever it had written is lost"
                    ),
                    fix=_end_transaction(pool),
                    key=key,
                    pool=pool,
                    stack=incident.at,
                    extra={**extra, "poolwitness.returned_at": incident.at.origin.place if incident.at.origin else ""},
                )
            elif incident.kind == "broken":
                check = (
                    ""
                    if pool.info.has_check
                    else f"; give the pool check={'Async' if pool.info.is_async else ''}ConnectionPool.check_connection to find dead ones before they are handed out"
                )
                yield Finding(
                    rule=RULES["PW105"],
                    message=f"a connection of {pool_label(pool)}, taken at {taken}, came back at {at} closed, broken or in the middle of a query: the pool has to make another",
                    fix=f"do not close a connection of the pool, return it; if the server or a proxy closed it, look there{check}",
                    key=key,
                    pool=pool,
                    stack=incident.taken,
                    extra={**extra, "poolwitness.returned_at": incident.at.origin.place if incident.at.origin else ""},
                )
            elif incident.kind == "nested" and pool.most:  # a null pool without a limit always has another
                yield _nested(pool, incident, extra)


def _nested(pool: PoolRecord, incident: CheckoutFault, extra: dict[str, Value]) -> Finding:
    first, second, through = incident.taken.origin, incident.at.origin, ""
    if first == second and incident.taken.holding != first:
        # A context manager takes them all: what is nested is its users.
        through = f", both through {at_line(first)}"
        first, second = incident.taken.holding, incident.at.holding
        extra = {**extra, "poolwitness.taken_at": first.place if first is not None else ""}
    return Finding(
        rule=RULES["PW106"],
        message=(
            f"{incident.holder} took a second connection of {pool_label(pool)} at {at_line(second)} while it had the one taken at "
            f"{at_line(first)}{through}: when {pool.most} of them do so at once, none gets its second"
        ),
        fix="hand the first connection on as an argument, or take the second after the first has been returned",
        key=("PW106", pool.info.id, first, second),
        pool=pool,
        stack=Stack(incident.at.frames, second),
        extra=extra,
    )
