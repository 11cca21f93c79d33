"""Releases of psycopg_pool, psycopg and Python with a known fault, and whether it applies to a program (PW501)."""

# No annotations from __future__ here: NamedTuple would compile each of them, which takes longer than the rest of the module.

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from poolwitness.diagnose.registry import SNAPSHOT, own_pools, rule
from poolwitness.model.findings import Finding
from poolwitness.model.records import PoolRecord, Snapshot
from poolwitness.model.wording import pool_made

Version = tuple[int, ...]
# A younger pool is unlikely to live long enough for a fault that takes a day.
LONG_LIVED_S = 3600.0


class KnownDefect(NamedTuple):
    """A fault of the releases from ``first`` up to, but not including, ``fixed``.

    ``applies`` says to which programs it matters, ``matters_to`` whether it does to a pool at a time; without that it is
    not reported by itself.
    """

    key: str
    component: str
    first: Version
    fixed: Version
    summary: str
    applies: str
    advice: str
    source: str
    matters_to: Callable[[PoolRecord, float], bool] | None = None

    def covers(self, version: Version) -> bool:
        """Whether a release has the fault."""
        return self.first <= version < self.fixed


def _is_long_open_and_sync(pool: PoolRecord, now: float) -> bool:
    opened_at = pool.life.opened_at
    return not pool.info.is_async and pool.life.state == "open" and now - (opened_at or now) > LONG_LIVED_S


def _is_opened_async(pool: PoolRecord, _now: float) -> bool:
    return pool.info.is_async and pool.life.opened_at is not None


# fmt: off
KNOWN_DEFECTS = (
    KnownDefect(
        "idle-workers-die", "psycopg_pool", (3, 2, 0), (3, 3, 3),
        "the workers of a sync pool die after 24 hours without work", "a sync pool that has been open for more than an hour",
        "upgrade psycopg_pool to 3.3.3 or later", "psycopg issue 1419",
        _is_long_open_and_sync,
    ),
    KnownDefect(
        "open-race", "psycopg_pool", (3, 2, 0), (3, 3, 1),
        "two threads that call open() on one pool at the same time may start it twice", "a sync pool on which several threads called open()",
        "upgrade psycopg_pool to 3.3.1 or later, or open the pool once, before starting threads", "psycopg issue 1300",
        lambda pool, _: not pool.info.is_async and pool.life.opened_by_threads > 1,
    ),
    KnownDefect(
        "cancelled-check-loses-connection", "psycopg_pool", (3, 2, 0), (3, 2, 8),
        "a request that is cancelled while its connection is being checked loses the connection", "an async pool with check=",
        "upgrade psycopg_pool to 3.2.8 or later", "psycopg issues 1123 and 1208",
        lambda pool, now: pool.info.has_check and _is_opened_async(pool, now),
    ),
    KnownDefect(
        "async-pool-before-loop", "psycopg_pool", (3, 1, 0), (3, 1, 4),
        "an async pool made before the event loop starts exhausts its connections", "an async pool", "upgrade psycopg_pool to 3.1.4 or later",
        "psycopg issue 219",
        _is_opened_async,
    ),
    KnownDefect(
        "thread-in-atexit", "python", (3, 12, 0), (3, 12, 3),
        "no thread can be started from an atexit callback", "a sync pool that is opened while the program is ending",
        "upgrade Python to 3.12.3 or later", "CPython issue 113964",
        lambda pool, _: not pool.info.is_async and pool.life.open_error == "RuntimeError",
    ),
    KnownDefect(
        "unclosed-pool-delays-exit", "python", (3, 13, 0), (3, 14, 0),
        "a sync pool that nobody closes holds up the exit by 5 s a thread", "a sync pool that is never closed: told as PW001 and PW003, not here",
        "close the pool", "psycopg issues 930 and 954",
    ),
)
# fmt: on


def known_defects(versions: Mapping[str, Version]) -> list[KnownDefect]:
    """The faults of installed releases (``python``, ``psycopg_pool``), whether or not the program meets them."""
    return [each for each in KNOWN_DEFECTS if each.component in versions and each.covers(versions[each.component])]


@rule(
    "PW501", "known-defect", "this release has a known fault that applies here", confidence="proven", level="warning",
    subject=SNAPSHOT, fields=("poolwitness.defect", "poolwitness.source"),
)  # fmt: skip
def known_defect(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each fault, about the first pool that it applies to."""
    for defect in known_defects(snapshot.process.versions):
        matters_to = defect.matters_to
        for pool in own_pools(snapshot):
            if matters_to is None or not matters_to(pool, snapshot.taken_at):
                continue
            version = ".".join(map(str, snapshot.process.versions[defect.component]))
            yield known_defect.finding(
                message=f"{defect.component} {version} has a known fault that applies to {pool_made(pool)}: {defect.summary} ({defect.source})",
                fix=defect.advice,
                key=(defect.key,),
                pool=pool,
                extra={"poolwitness.defect": defect.key, "poolwitness.source": defect.source},
            )
            break
