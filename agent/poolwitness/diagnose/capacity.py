"""Pools that cannot grow: unable to connect, slow to connect, or with slots that no one has (PW107, PW202, PW203)."""

from __future__ import annotations

from collections.abc import Iterator

from poolwitness.diagnose.registry import rule
from poolwitness.model.findings import Finding
from poolwitness.model.records import ConnectError, PoolRecord, Snapshot
from poolwitness.model.server_errors import SENTENCES
from poolwitness.model.wording import plural, pool_made, raised

SLOW_S = 1.0


@rule(
    "PW107", "slots-unaccounted", "the pool counts connections that no one has", confidence="probable", level="error",
    needs="pools", fields=("poolwitness.slots_unaccounted", "poolwitness.slots_counted", "poolwitness.related"),
    leak=True,
)  # fmt: skip
def slots_unaccounted(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    if pool.unaccounted <= 0 or pool.life.state != "open":
        return
    counted = pool.stats.get("pool_size", 0)
    dead = [worker.name for worker in pool.workers if worker.role == "worker" and worker.error_type is not None]
    if dead:
        fix = f"mend what worker {dead[0]!r} died of (PW301): the connection that it had in hand counts for ever"
    elif snapshot.process.versions.get("psycopg_pool", (3, 2, 8)) < (3, 2, 8):
        fix = "upgrade psycopg_pool (cancelled requests lost connections before 3.2.8)"
    else:
        fix = "look for code that takes connections from pool._pool or overrides _putconn, and bound waiting by the pool's own timeout= instead of cancelling from outside"
    yield slots_unaccounted.finding(
        message=(
            f"{pool_made(pool)}, counts {plural(counted, 'connection')}, but {pool.unaccounted} of them "
            f"{'is' if pool.unaccounted == 1 else 'are'} neither idle in it nor held by anybody: those slots are not coming back"
        ),
        fix=f"{fix}; until then close the pool and make it anew",
        key=(pool.info.id, pool.unaccounted),
        pool=pool,
        extra={
            "poolwitness.slots_unaccounted": pool.unaccounted,
            "poolwitness.slots_counted": counted,
            "poolwitness.related": ["PW301"] if dead else None,
        },
    )


@rule(
    "PW202", "connect-failing", "the pool cannot connect and keeps trying", confidence="proven", level="error",
    fields=("exception.type", "exception.message", "poolwitness.server_error", "db.response.status_code", "poolwitness.raised_at", "poolwitness.count"),
)  # fmt: skip
def connect_failing(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    """PW202: the error that the pool retries in silence, once for each kind."""
    for error in pool.connects.errors:
        yield connect_failing.finding(
            message=f"{pool_made(pool)}, cannot connect and keeps trying: {error_text(error)}",
            fix=connect_advice(error),
            key=(pool.info.id, error.error_type, error.sqlstate, error.server_error, error.raised_at),
            pool=pool,
            extra={
                "exception.type": error.error_type,
                "exception.message": SENTENCES.get(error.server_error),
                "poolwitness.server_error": error.server_error or None,
                "db.response.status_code": error.sqlstate or None,
                "poolwitness.raised_at": error.raised_at.place if error.raised_at is not None else None,
                "poolwitness.count": error.count,
            },
        )


def last_error(pool: PoolRecord) -> ConnectError:
    """The most recent error of connecting."""
    return max(pool.connects.errors, key=lambda error: error.last_at)


def error_text(error: ConnectError) -> str:
    """An error of connecting in a sentence."""
    code = f" [{error.sqlstate}]" if error.sqlstate else ""
    if error.server_error:
        return f"{error.error_type}{code}: {SENTENCES.get(error.server_error, error.server_error)}"
    return raised(f"{error.error_type}{code}", error.raised_at)


_PASSWORD = "check the user and password that the program is given; the pool itself is not busy"
_NAMES = "check the database and role names"
_FULL = "the server is out of connections: lower max_size times processes, or raise max_connections"
_ADDRESS = "check that the server runs and listens at this host and port"
_REMEDIES = {
    "password_rejected": _PASSWORD,
    "no_password": _PASSWORD,
    "authentication_failed": _PASSWORD,
    "role_missing": _NAMES,
    "database_missing": _NAMES,
    "too_many_connections": _FULL,
    "too_many_for_role": _FULL,
    "too_many_for_database": _FULL,
    "connection_refused": _ADDRESS,
    "socket_missing": _ADDRESS,
    "timed_out": "check the network and the host's name; set connect_timeout",
    "name_not_resolved": "check the host's name",
}


def connect_advice(error: ConnectError) -> str:
    """What to do about an error of connecting."""
    unknown = "make the database reachable, or use open(wait=True) to learn at start-up that it is not"
    return _REMEDIES.get(error.server_error, unknown)


@rule(
    "PW203", "connect-slow", "connections take long to make", confidence="probable", level="warning",
    fields=("poolwitness.connect_s", "poolwitness.configure_s", "poolwitness.phase"),
)  # fmt: skip
def connect_slow(pool: PoolRecord, snapshot: Snapshot) -> Iterator[Finding]:
    connects = pool.connects
    if connects.configure_s >= SLOW_S:
        what = f"its configure callback takes {connects.configure_s:.1f} s for each connection"
        fix = "make configure quicker, or raise min_size so that it has run before a connection is asked for"
        yield _slow(pool, what, fix, "configure")
    if connects.connect_s >= SLOW_S:
        fix = "look at the network, name resolution and the server's load"
        if connects.gssapi:
            fix = f"this libpq tries GSSAPI first: as a thing to try, add gssencmode=disable to the connection string; otherwise {fix}"
        yield _slow(pool, f"it takes {connects.connect_s:.1f} s to connect", fix, "connect")


def _slow(pool: PoolRecord, what: str, fix: str, phase: str) -> Finding:
    return connect_slow.finding(
        message=f"{pool_made(pool)}, is slow to grow: {what} (average of {pool.connects.attempts})",
        fix=fix,
        key=(pool.info.id, phase),
        pool=pool,
        extra={
            "poolwitness.connect_s": round(pool.connects.connect_s, 6),
            "poolwitness.configure_s": round(pool.connects.configure_s, 6),
            "poolwitness.phase": phase,
        },
    )
