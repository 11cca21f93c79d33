"""Connections that were lost, not returned, held long, returned in a bad state, or set up again on each checkout.

The rules are PW101 to PW106, and PW204.
"""

from __future__ import annotations

from collections.abc import Iterator

from poolwitness.diagnose.registry import ANY, VERDICT, rule
from poolwitness.model.findings import Finding, Value
from poolwitness.model.records import CheckoutFault, CheckoutRecord, PoolRecord, Snapshot, Stack
from poolwitness.model.wording import at_call, at_line, holder_of, plural, pool_label

# A pool may be closed while requests are still being served; they get this long to finish.
CLOSE_GRACE_S = 2.0

# What `_fields` returns.
_CHECKOUT = (
    "poolwitness.checkout.id",
    "poolwitness.held_s",
    "poolwitness.holder",
    "poolwitness.holder_kind",
    "poolwitness.holder_alive",
    "poolwitness.transaction",
    "poolwitness.kept_by",
    "poolwitness.holder_at",
)
# What `_fields_of_fault` returns.
_FAULT = ("poolwitness.holder", "poolwitness.held_s", "poolwitness.taken_at", "poolwitness.count")


@rule(
    "PW101",
    "connection-lost",
    "a connection was garbage-collected without being returned",
    confidence="proven",
    level="warning",
    fields=(*_CHECKOUT, "poolwitness.slots_lost", "poolwitness.slots_left"),
    leak=True,
)
def lost(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """PW101: a checkout was garbage-collected without being returned; the pool counts it forever."""
    lost_from_open = [checkout for checkout in pool.lost if checkout.lost_from_open]
    for index, checkout in enumerate(lost_from_open, start=1):
        size = pool.most
        left = max(0, size - index)
        # A null pool without a limit has as many as are asked for.
        remaining = f": {left} of {plural(size, 'slot')} left" if size else ""
        yield lost.finding(
            message=(
                f"a connection of {pool_label(pool)}, taken at {at_call(checkout.taken)} by "
                f"{holder_of(checkout)}, was garbage-collected without being returned{remaining}"
            ),
            fix=_give_back(pool) + ("" if pool.info.django_alias else "; with getconn(), put putconn() in a finally"),
            key=(pool.info.id, checkout.id, checkout.taken.origin, index),
            pool=pool,
            stack=checkout.taken,
            level="error" if size and not left else "",
            extra={
                **_fields(checkout),
                "poolwitness.slots_lost": index,
                **({"poolwitness.slots_left": left} if size else {}),
            },
        )


@rule(
    "PW103",
    "connection-held-long",
    "a connection has been checked out for long",
    confidence="suspected",
    level="warning",
    moments=ANY - {VERDICT},
    fields=_CHECKOUT,
    retractable="checkout",
)
def held_long(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """PW103: checked out for longer than POOLWITNESS_HELD_S, and not at work."""
    if pool.life.state != "open":
        return
    for checkout in pool.checkouts:
        if not is_held_long(checkout, snapshot.held_limit_s) or not checkout.holder_alive:
            continue
        doing = ""
        if checkout.where is not None and checkout.where.origin is not None:
            doing = f"; its holder now stands at {at_line(checkout.where.holding)}"
        yield held_long.finding(
            message=(
                f"a connection of {pool_label(pool)}, taken at {at_call(checkout.taken)} by "
                f"{holder_of(checkout)}, has been out for {checkout.held_s:.1f} s, {checkout.status}{doing}"
            ),
            fix=(
                "give the connection back before slow work that is not the database's; if one is held on purpose "
                f"(LISTEN), say so: POOLWITNESS_IGNORE=PW103:{_glob(checkout)}"
            ),
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
    "PW102",
    "connection-not-returned",
    "a connection was checked out to the end",
    confidence="probable",
    level="warning",
    needs="pools",
    fields=_CHECKOUT,
    retractable="checkout",
    leak=True,
)
def not_returned(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """PW102: checked out at the verdict or after the pool was closed, or the holder has ended."""
    if pool.life.state == "dropped":
        return
    closed_since_s = snapshot.taken_at - pool.life.closed_at if pool.life.closed_at is not None else None
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
        yield _not_returned(pool, checkout, why, snapshot.moment == VERDICT)
    if pool.life.state == "closed":
        for checkout in pool.lost:
            if checkout.lost_from_open:
                continue  # reported as PW101
            yield _not_returned(pool, checkout, "and was garbage-collected after its pool had been closed")


def _not_returned(pool: PoolRecord, checkout: CheckoutRecord, why: str, at_the_end: bool = True) -> Finding:
    return not_returned.finding(
        message=(
            f"a connection of {pool_label(pool)}, taken at {at_call(checkout.taken)} by {holder_of(checkout)} "
            f"{checkout.held_s:.1f} s before, {'was never' if at_the_end else 'has not been'} returned: still out {why}"
            + (f"; kept alive by {checkout.retained_by}" if checkout.retained_by else "")
            if not checkout.lost
            else f"a connection of {pool_label(pool)}, taken at {at_call(checkout.taken)} by {holder_of(checkout)}, "
            f"was never returned {why}"
        ),
        fix=f"{_give_back(pool)}; return every connection before the pool is closed",
        key=(pool.info.id, checkout.id, checkout.taken.origin),
        pool=pool,
        stack=checkout.taken,
        extra=_fields(checkout),
    )


@rule(
    "PW104",
    "returned-in-transaction",
    "a connection was returned inside a transaction",
    confidence="proven",
    level="error",
    fields=(*_FAULT, "poolwitness.returned_at"),
)
def returned_in_transaction(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """PW104: returned inside a transaction, which the pool rolls back; one finding for each pair of lines."""
    for fault in _faults(pool, "in_transaction"):
        yield returned_in_transaction.finding(
            message=(
                f"a connection of {pool_label(pool)}, taken at {at_line(fault.taken.origin)}, was returned at "
                f"{at_line(fault.at.origin)} inside a transaction: "
                "the pool rolled it back, and whatever it had written is lost"
            ),
            fix=_end_transaction(pool),
            key=_key(pool, fault),
            pool=pool,
            stack=fault.at,
            extra={**_fields_of_fault(fault), "poolwitness.returned_at": _place(fault.at)},
        )


@rule(
    "PW105",
    "returned-broken",
    "a connection was returned closed, broken or in the middle of a query",
    confidence="proven",
    level="warning",
    fields=(*_FAULT, "poolwitness.returned_at"),
)
def returned_broken(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """PW105: returned closed, broken or in the middle of a query; one finding for each pair of lines."""
    for fault in _faults(pool, "broken"):
        check = (
            ""
            if pool.info.has_check
            else f"; give the pool check={'Async' if pool.info.is_async else ''}ConnectionPool.check_connection to find dead ones before they are handed out"
        )
        yield returned_broken.finding(
            message=f"a connection of {pool_label(pool)}, taken at {at_line(fault.taken.origin)}, came back at {at_line(fault.at.origin)} closed, broken or in the middle of a query: the pool has to make another",
            fix=f"do not close a connection of the pool, return it; if the server or a proxy closed it, look there{check}",
            key=_key(pool, fault),
            pool=pool,
            stack=fault.taken,
            extra={**_fields_of_fault(fault), "poolwitness.returned_at": _place(fault.at)},
        )


@rule(
    "PW106",
    "nested-checkout",
    "one holder requested a second connection",
    confidence="suspected",
    level="warning",
    fields=_FAULT,
)
def nested(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """PW106: a holder requested a second connection of the pool while it had one."""
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
    "PW204",
    "adapters-outside-configure",
    "adapters are registered on each checkout",
    confidence="probable",
    level="warning",
    fields=("poolwitness.count",),
)
def adapters_outside_configure(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """PW204: the same adapters are registered on checkout after checkout."""
    for line, count in pool.misuse.adapters:
        callback = "async def configure(conn):" if pool.info.is_async else "def configure(conn):"
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


def _faults(pool: PoolRecord, kind: str) -> Iterator[CheckoutFault]:
    return (fault for fault in pool.misuse.faults if fault.kind == kind)


def _key(pool: PoolRecord, fault: CheckoutFault) -> tuple[object, ...]:
    return pool.info.id, fault.taken.origin, fault.at.origin


def _fields_of_fault(fault: CheckoutFault) -> dict[str, Value]:
    return {
        "poolwitness.holder": fault.holder[:200],
        "poolwitness.held_s": round(fault.held_s, 6),
        "poolwitness.taken_at": _place(fault.taken),
        "poolwitness.count": fault.count,
    }


def _place(stack: Stack) -> str:
    return stack.origin.place if stack.origin is not None else ""


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
