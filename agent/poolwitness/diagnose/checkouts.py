"""Connections that were lost, not returned, held long, returned in a bad state, or set up again on each checkout.

The rules are PW101 to PW106, and PW204.
"""

from __future__ import annotations

from collections.abc import Iterator

from poolwitness.diagnose.registry import ANY, VERDICT, rule
from poolwitness.model.findings import Finding, Value
from poolwitness.model.records import CheckoutFault, CheckoutRecord, PoolRecord, Snapshot, Stack
from poolwitness.model.wording import at_call, at_line, holder_fields, holder_of, plural, pool_label

# A pool may be closed while requests are still being served; they get this long to finish.
CLOSE_GRACE_S = 2.0

# What `_fields` returns.
_CHECKOUT = (
    "poolwitness.checkout.id", "poolwitness.held_s", "poolwitness.holder", "poolwitness.holder_kind",
    "poolwitness.holder_alive", "poolwitness.transaction", "poolwitness.kept_by", "poolwitness.holder_at",
)  # fmt: skip
# What `_fields_of_fault` returns.
_FAULT = ("poolwitness.holder", "poolwitness.held_s", "poolwitness.taken_at", "poolwitness.count")


@rule(
    "PW101", "connection-lost", "a connection was garbage-collected without being returned", confidence="proven",
    level="warning", fields=(*_CHECKOUT, "poolwitness.slots_lost", "poolwitness.slots_left"), leak=True,
)  # fmt: skip
def lost(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    lost_from_open = [checkout for checkout in pool.lost if checkout.lost_from_open]
    for index, checkout in enumerate(lost_from_open, start=1):
        size = pool.most
        left = max(0, size - index)
        # A null pool without a limit has as many as are asked for.
        remaining = f": {left} of {plural(size, 'slot')} left" if size else ""
        yield lost.finding(
            message=f"{_taken(pool, checkout)}, was garbage-collected without being returned{remaining}",
            fix=_give_back(pool) + ("" if pool.info.django_alias else "; with getconn(), put putconn() in a finally"),
            key=(pool.info.id, checkout.id, checkout.taken.origin, index),
            pool=pool,
            stack=checkout.taken,
            level="error" if size and not left else "",
            extra={
                **_fields(checkout),
                "poolwitness.slots_lost": index,
                "poolwitness.slots_left": left if size else None,
            },
        )


@rule(
    "PW103", "connection-held-long", "a connection has been checked out for long", confidence="suspected",
    level="warning", moments=ANY - {VERDICT}, fields=_CHECKOUT, retractable="checkout",
)  # fmt: skip
def held_long(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    if pool.life.state != "open":
        return
    for checkout in pool.checkouts:
        if not is_held_long(checkout, snapshot.held_limit_s) or not checkout.holder_alive:
            continue
        doing = ""
        if checkout.where is not None and checkout.where.origin is not None:
            doing = f"; its holder now stands at {at_line(checkout.where.holding)}"
        yield held_long.finding(
            message=f"{_taken(pool, checkout)}, has been out for {checkout.held_s:.1f} s, {checkout.status}{doing}",
            fix=f"give the connection back before slow work that is not the database's; if one is held on purpose (LISTEN), say so: POOLWITNESS_IGNORE=PW103:{_glob(checkout)}",
            key=(pool.info.id, checkout.id, checkout.taken.origin),
            pool=pool,
            stack=checkout.taken,
            extra=_fields(checkout),
        )


def is_held_long(checkout: CheckoutRecord, limit_s: float) -> bool:
    """Whether a checkout is suspected: old, not at work, and idle for at least half the limit."""
    return checkout.held_s >= limit_s and checkout.status != "active" and checkout.idle_s >= limit_s / 2


def _glob(checkout: CheckoutRecord) -> str:
    # The file of a context manager would match every use of it.
    holding = checkout.taken.holding
    return "*/" + holding.file.replace("\\", "/").rpartition("/")[2] if holding is not None else "FILE"


@rule(
    "PW102", "connection-not-returned", "a connection was checked out to the end", confidence="probable",
    level="warning", needs="pools", fields=_CHECKOUT, retractable="checkout", leak=True,
)  # fmt: skip
def not_returned(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """Checked out at the verdict or after the pool was closed, or the holder has ended."""
    if pool.life.state == "dropped":
        return
    closed_since_s = snapshot.taken_at - pool.life.closed_at if pool.life.closed_at is not None else None
    never = "was never" if snapshot.moment == VERDICT else "has not been"
    for checkout in pool.checkouts:
        if checkout.suspected and checkout.holder_alive:
            continue  # reported as PW103
        if snapshot.killed and checkout.holder_alive and pool.life.state == "open":
            continue  # the signal came in the middle of its work
        if snapshot.moment == VERDICT:
            why = "when the program ended"
        elif closed_since_s is not None and closed_since_s > CLOSE_GRACE_S:
            by = pool.life.closed.origin if pool.life.closed is not None else None
            at = f" at {at_line(by)}" if by is not None and by.kind != "stdlib" else ""
            why = f"{closed_since_s:.0f} s after its pool was closed{at}"
        elif not checkout.holder_alive and is_held_long(checkout, snapshot.held_limit_s):
            why = f"although the {'task' if checkout.in_task else 'thread'} that took it has ended"
        else:
            continue
        kept = f"; kept alive by {checkout.retained_by}" if checkout.retained_by else ""
        what = f"{_taken(pool, checkout)} {checkout.held_s:.1f} s before, {never} returned: still out {why}{kept}"
        yield _not_returned(pool, checkout, what)
    if pool.life.state == "closed":
        for checkout in pool.lost:
            if not checkout.lost_from_open:  # otherwise reported as PW101
                what = "was never returned and was garbage-collected after its pool had been closed"
                yield _not_returned(pool, checkout, f"{_taken(pool, checkout)}, {what}")


def _not_returned(pool: PoolRecord, checkout: CheckoutRecord, message: str) -> Finding:
    return not_returned.finding(
        message=message,
        fix=f"{_give_back(pool)}; return every connection before the pool is closed",
        key=(pool.info.id, checkout.id, checkout.taken.origin),
        pool=pool,
        stack=checkout.taken,
        extra=_fields(checkout),
    )


@rule(
    "PW104", "returned-in-transaction", "a connection was returned inside a transaction", confidence="proven",
    level="error", fields=(*_FAULT, "poolwitness.returned_at"),
)  # fmt: skip
def returned_in_transaction(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    for fault in _faults(pool, "in_transaction"):
        yield returned_in_transaction.finding(
            message=(
                f"a connection of {pool_label(pool)}, taken at {at_line(fault.taken.origin)}, was returned at "
                f"{at_line(fault.at.origin)} inside a transaction: the pool rolled it back, and whatever it had written is lost"
            ),
            fix=_end_transaction(pool),
            key=_key(pool, fault),
            pool=pool,
            stack=fault.at,
            extra={**_fields_of_fault(fault), "poolwitness.returned_at": fault.at.place},
        )


@rule(
    "PW105", "returned-broken", "a connection was returned closed, broken or in the middle of a query",
    confidence="proven", level="warning", fields=(*_FAULT, "poolwitness.returned_at"),
)  # fmt: skip
def returned_broken(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    fix = "do not close a connection of the pool, return it; if the server or a proxy closed it, look there"
    if not pool.info.has_check:
        cls = "AsyncConnectionPool" if pool.info.is_async else "ConnectionPool"
        fix += f"; give the pool check={cls}.check_connection to find dead ones before they are handed out"
    for fault in _faults(pool, "broken"):
        yield returned_broken.finding(
            message=(
                f"a connection of {pool_label(pool)}, taken at {at_line(fault.taken.origin)}, came back at "
                f"{at_line(fault.at.origin)} closed, broken or in the middle of a query: the pool has to make another"
            ),
            fix=fix,
            key=_key(pool, fault),
            pool=pool,
            stack=fault.taken,
            extra={**_fields_of_fault(fault), "poolwitness.returned_at": fault.at.place},
        )


@rule(
    "PW106", "nested-checkout", "one holder requested a second connection", confidence="suspected", level="warning",
    fields=_FAULT,
)  # fmt: skip
def nested(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    # A null pool without a limit always has another connection.
    for fault in _faults(pool, "nested") if pool.most else ():
        first, second, through = fault.taken.origin, fault.at.origin, ""
        extra = _fields_of_fault(fault)
        if first == second and fault.taken.holding != first:
            # One context manager takes both; the lines that use it are what is nested.
            through = f", both through {at_line(first)}"
            first, second = fault.taken.holding, fault.at.holding
            extra["poolwitness.taken_at"] = first.place if first is not None else ""
        yield nested.finding(
            message=(
                f"{fault.holder} took a second connection of {pool_label(pool)} at {at_line(second)} while it had the one taken at "
                f"{at_line(first)}{through}: when {pool.most} of them do so at once, none gets its second"
            ),
            fix="hand the first connection on as an argument, or take the second after the first has been returned",
            key=(pool.info.id, first, second),
            pool=pool,
            stack=Stack(fault.at.frames, second),
            extra=extra,
        )


@rule(
    "PW204", "adapters-outside-configure", "adapters are registered on each checkout", confidence="probable",
    level="warning", fields=("poolwitness.count",),
)  # fmt: skip
def adapters_outside_configure(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    callback = "async def configure(conn):" if pool.info.is_async else "def configure(conn):"
    for line, count in pool.misuse.adapters:
        yield adapters_outside_configure.finding(
            message=(
                f"adapters are registered at {at_line(line.origin)} on every connection taken from {pool_label(pool)}, "
                f"{count} times so far: once a connection is enough"
            ),
            fix=f"move it into a callback, `{callback} ...`, and pass configure=configure to the pool made at {at_line(pool.info.created.origin)}",
            key=(pool.info.id, line.origin),
            pool=pool,
            stack=line,
            extra={"poolwitness.count": count},
        )


def _taken(pool: PoolRecord, checkout: CheckoutRecord) -> str:
    return f"a connection of {pool_label(pool)}, taken at {at_call(checkout.taken)} by {holder_of(checkout)}"


def _fields(checkout: CheckoutRecord) -> dict[str, Value | None]:
    return {
        "poolwitness.checkout.id": checkout.id,
        "poolwitness.held_s": round(checkout.held_s, 6),
        **holder_fields(checkout),
        "poolwitness.kept_by": checkout.retained_by or None,
    }


def _faults(pool: PoolRecord, kind: str) -> Iterator[CheckoutFault]:
    return (fault for fault in pool.misuse.faults if fault.kind == kind)


def _key(pool: PoolRecord, fault: CheckoutFault) -> tuple[object, ...]:
    return pool.info.id, fault.taken.origin, fault.at.origin


def _fields_of_fault(fault: CheckoutFault) -> dict[str, Value | None]:
    return {
        "poolwitness.holder": fault.holder[:200],
        "poolwitness.held_s": round(fault.held_s, 6),
        "poolwitness.taken_at": fault.taken.place,
        "poolwitness.count": fault.count,
    }


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
    return f"call conn.commit() (or conn.rollback(), if nothing was written) before putconn(), or use `{_with(pool)} pool.connection()`, which commits"
