"""Pools that give no connection: exhausted, unable to connect, slow to, or with slots nobody has."""

from __future__ import annotations

from collections.abc import Iterator

from poolwitness.diagnose.checkouts import holder_of
from poolwitness.diagnose.lifecycle import own
from poolwitness.model.findings import RULES, Finding, Value
from poolwitness.model.records import CheckoutRecord, ConnectError, PoolRecord, Snapshot
from poolwitness.model.wording import at_call, at_line, plural, pool_label

SLOW_S = 1.0


def exhausted(snapshot: Snapshot) -> Iterator[Finding]:
    """PW201: PoolTimeout or TooManyRequests was raised."""
    for pool in own(snapshot):
        found = pool.exhaustion
        if found is None:
            continue
        worst = worst_first(pool)
        if pool.misuse.crossed_loops is not None and not worst:
            continue  # PW402 says why nobody brings a connection
        size = pool.most
        if worst:
            first = worst[0]
            who = (
                f"{out_of(len(worst), size)} out, the oldest for {first.held_s:.1f} s, taken at "
                f"{at_call(first.taken)} by {holder_of(first)}, {first.status}"
            )
        elif pool.connects.failing:
            who = f"no connection could be made: {error_text(last_error(pool))}"
        elif pool.connects.attempts == pool.connects.failures:
            who = "it has not made a connection yet"
        else:
            who = "nobody holds a connection now"
        lost = f", {plural(len(pool.lost), 'slot')} lost for good" if pool.lost else ""
        extra: dict[str, Value] = {
            "exception.type": found.error_type,
            "poolwitness.request_at": found.request.origin.place if found.request.origin else "",
            "poolwitness.waited_s": round(found.waited_s, 6),
            "poolwitness.holder": found.holder[:200],
            "poolwitness.requests_waiting": pool.stats.get("requests_waiting", 0),
            "poolwitness.slots_out": len(worst),
            "poolwitness.slots_lost": len(pool.lost),
        }
        yield Finding(
            rule=RULES["PW201"],
            message=(
                f"{pool_label(pool)} had no connection for the request at {at_call(found.request)} "
                f"({found.error_type}): {who}{lost}"
            ),
            fix=" ".join(f"({number}) {remedy}." for number, remedy in enumerate(remedies(pool), start=1)),
            key=("PW201", pool.info.id, found.episode),
            pool=pool,
            stack=worst[0].taken if worst else found.request,
            extra=extra,
        )


def out_of(count: int, size: int) -> str:
    """``2 of 4 connections``; a null pool without a limit has no size."""
    return f"{count} of {plural(size, 'connection')}" if size else plural(count, "connection")


def worst_first(pool: PoolRecord) -> list[CheckoutRecord]:
    """The holders, those that have held longest first."""
    return sorted(pool.checkouts, key=lambda checkout: -checkout.held_s)


def remedies(pool: PoolRecord) -> list[str]:
    """Two or three things to do, likeliest first, for this very picture."""
    advice: list[str] = []
    holders = worst_first(pool)
    size = pool.most
    if pool.misuse.crossed_loops is not None:
        advice.append("use the pool on the loop that it was opened on (PW402)")
    if pool.connects.failing and pool.connects.errors:
        advice.append(connect_advice(last_error(pool)))
    dead = [worker for worker in pool.workers if worker.role == "worker" and (worker.error_type or not worker.alive)]
    if dead and len(dead) == sum(1 for worker in pool.workers if worker.role == "worker"):
        advice.append("make the pool anew: all its workers are dead, so it cannot connect any more (PW301)")
    if pool.lost:
        advice.append(f"return the connections taken at {_lines(list(pool.lost))}: they were lost (PW101)")
    gone = [holder for holder in holders if not holder.holder_alive]
    if gone:
        advice.append(f"return the connections taken at {_lines(gone)}: the threads or tasks that took them have ended")
    nested = [incident for incident in pool.misuse.faults if incident.kind == "nested"]
    if nested and any(
        incident.at.origin == (pool.exhaustion.request.origin if pool.exhaustion else None) for incident in nested
    ):
        advice.append("hand the first connection on instead of taking a second (PW106)")
    request = pool.exhaustion
    if request is not None and any(
        holder.holder == request.holder and holder.held_s > request.waited_s for holder in holders
    ):
        advice.append(
            f"do not ask for a second connection at {at_line(request.request.holding)} while the same holder has one"
        )
    waiting = [holder for holder in holders if holder.status == "idle in transaction"]
    if waiting:
        advice.append(
            f"end the transaction at {_lines(waiting)} before work that is not the database's: it is idle in transaction"
        )
    if holders and len(advice) < 3:
        active = [holder for holder in holders if holder.status == "active"]
        if active and len(active) * 2 > len(holders):
            advice.append("look at the queries that are running: the database is what takes the time")
        elif not waiting and not gone:
            advice.append(f"hold connections for a shorter time at {_lines(holders)}")
    if len(advice) < 3 and 0 < size <= len(holders) and not gone:
        advice.append(f"raise max_size ({size}) if the server has connections to spare, or make fewer requests at once")
    return advice[:3] or ["raise the timeout, or min_size so that connections are ready before they are asked for"]


def _lines(holders: list[CheckoutRecord]) -> str:
    places = list(dict.fromkeys(at_call(holder.taken) for holder in holders))
    return ", ".join(places[:2]) + (f" and {len(places) - 2} more" if len(places) > 2 else "")


def last_error(pool: PoolRecord) -> ConnectError:
    """The error of connecting that was met last."""
    return max(pool.connects.errors, key=lambda error: error.last_at)


def error_text(error: ConnectError) -> str:
    """An error of connecting in a sentence."""
    code = f" [{error.sqlstate}]" if error.sqlstate else ""
    text = f": {error.text}" if error.text else ""
    return f"{error.error_type}{code}{text}"


def slots_unaccounted(snapshot: Snapshot) -> Iterator[Finding]:
    """PW107: the pool counts connections that neither it nor any holder has."""
    for pool in own(snapshot):
        if pool.unaccounted <= 0 or pool.life.state != "open":
            continue
        counted = pool.stats.get("pool_size", 0)
        yield Finding(
            rule=RULES["PW107"],
            message=(
                f"{pool_label(pool)}, made at {at_line(pool.info.created.origin)}, counts {plural(counted, 'connection')}, but "
                f"{pool.unaccounted} of them {'is' if pool.unaccounted == 1 else 'are'} neither idle in it nor held by "
                "anybody: those slots are not coming back"
            ),
            fix=_unaccounted_advice(pool, snapshot.process.versions.get("psycopg_pool")),
            key=("PW107", pool.info.id, pool.unaccounted),
            pool=pool,
            stack=pool.info.created,
            extra={
                "poolwitness.slots_unaccounted": pool.unaccounted,
                "poolwitness.slots_counted": counted,
                **({"poolwitness.related": ["PW301"]} if _dead(pool) else {}),
            },
        )


def _dead(pool: PoolRecord) -> list[str]:
    return [worker.name for worker in pool.workers if worker.role == "worker" and worker.error_type is not None]


def _unaccounted_advice(pool: PoolRecord, version: tuple[int, ...] | None) -> str:
    dead = _dead(pool)
    if dead:
        return (
            f"mend what worker {dead[0]!r} died of (PW301): the connection that it had in hand counts for ever; "
            "until then close the pool and make it anew"
        )
    if version is not None and version < (3, 2, 8):
        return "upgrade psycopg_pool (cancelled requests lost connections before 3.2.8); until then close the pool and make it anew"
    return (
        "look for code that takes connections from pool._pool or overrides _putconn, and bound waiting by the pool's own "
        "timeout= instead of cancelling from outside; until then close the pool and make it anew"
    )


def connect_failing(snapshot: Snapshot) -> Iterator[Finding]:
    """PW202: the error that the pool retries in silence, once for each kind."""
    for pool in own(snapshot):
        for error in pool.connects.errors:
            yield Finding(
                rule=RULES["PW202"],
                message=f"{pool_label(pool)}, made at {at_line(pool.info.created.origin)}, cannot connect and keeps trying: {error_text(error)}",
                fix=connect_advice(error),
                key=("PW202", pool.info.id, error.error_type, error.sqlstate, error.text),
                pool=pool,
                stack=pool.info.created,
                extra={
                    "exception.type": error.error_type,
                    **({"exception.message": error.text} if error.text else {}),
                    **({"db.response.status_code": error.sqlstate} if error.sqlstate else {}),
                    "poolwitness.count": error.count,
                },
            )


def connect_advice(error: ConnectError) -> str:
    """What to do about an error of connecting."""
    text = error.text.lower()
    if (
        error.sqlstate in ("28P01", "28000")
        or "password authentication failed" in text
        or "no password supplied" in text
    ):
        return "check the user and password that the program is given; the pool itself is not busy"
    if error.sqlstate == "3D000" or "does not exist" in text:
        return "check the database and role names"
    if "too many" in text or error.sqlstate == "53300":
        return "the server is out of connections: lower max_size times processes, or raise max_connections"
    if "refused" in text or "no such file" in text:
        return "check that the server runs and listens at this host and port"
    if "timeout" in text or "timed out" in text:
        return "check the network and the host's name; set connect_timeout"
    if "translate host name" in text or "resolve" in text:
        return "check the host's name"
    return "make the database reachable, or use open(wait=True) to learn at start-up that it is not"


def connect_slow(snapshot: Snapshot) -> Iterator[Finding]:
    """PW203: slow connections, or a slow ``configure`` callback."""
    for pool in own(snapshot):
        connects = pool.connects
        if connects.configure_s >= SLOW_S:
            yield _slow(
                pool,
                f"its configure callback takes {connects.configure_s:.1f} s for each connection",
                "make configure quicker, or raise min_size so that it has run before a connection is asked for",
                "configure",
            )
        if connects.connect_s >= SLOW_S:
            advice = "look at the network, name resolution and the server's load"
            if connects.gssapi:
                advice = (
                    "this libpq tries GSSAPI first: as a thing to try, add gssencmode=disable to the connection string; "
                    f"otherwise {advice}"
                )
            yield _slow(pool, f"it takes {connects.connect_s:.1f} s to connect", advice, "connect")


def _slow(pool: PoolRecord, what: str, fix: str, phase: str) -> Finding:
    return Finding(
        rule=RULES["PW203"],
        message=f"{pool_label(pool)}, made at {at_line(pool.info.created.origin)}, is slow to grow: {what} (average of {pool.connects.attempts})",
        fix=fix,
        key=("PW203", pool.info.id, phase),
        pool=pool,
        stack=pool.info.created,
        extra={
            "poolwitness.connect_s": round(pool.connects.connect_s, 6),
            "poolwitness.configure_s": round(pool.connects.configure_s, 6),
            "poolwitness.phase": phase,
        },
    )
