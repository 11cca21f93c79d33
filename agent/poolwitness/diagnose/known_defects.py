"""Releases of psycopg_pool, psycopg and Python with a known fault, and whether it applies to a program (PW501)."""

# No annotations from __future__ here: NamedTuple would compile each of them, which takes longer than the rest of the module.

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from poolwitness.diagnose.registry import SNAPSHOT, own_pools, rule
from poolwitness.model.findings import Finding
from poolwitness.model.records import PoolRecord, Snapshot
from poolwitness.model.wording import at_line, pool_label

Version = tuple[int, ...]
# A younger pool is unlikely to live long enough for a fault that takes a day.
LONG_LIVED_S = 3600.0


class KnownDefect(NamedTuple):
    """A fault of the releases from ``first`` up to, but not including, ``fixed``."""

    key: str
    component: str
    first: Version
    fixed: Version | None
    summary: str
    applies: str
    advice: str
    source: str

    def covers(self, version: Version) -> bool:
        """Whether a release has the fault."""
        return self.first <= version and (self.fixed is None or version < self.fixed)


KNOWN_DEFECTS: tuple[KnownDefect, ...] = (
    KnownDefect(
        "idle-workers-die",
        "psycopg_pool",
        (3, 2, 0),
        (3, 3, 3),
        "the workers of a sync pool die after 24 hours without work",
        "a sync pool that has been open for more than an hour",
        "upgrade psycopg_pool to 3.3.3 or later",
        "psycopg issue 1419",
    ),
    KnownDefect(
        "open-race",
        "psycopg_pool",
        (3, 2, 0),
        (3, 3, 1),
        "two threads that call open() on one pool at the same time may start it twice",
        "a sync pool on which several threads called open()",
        "upgrade psycopg_pool to 3.3.1 or later, or open the pool once, before starting threads",
        "psycopg issue 1300",
    ),
    KnownDefect(
        "cancelled-check-loses-connection",
        "psycopg_pool",
        (3, 2, 0),
        (3, 2, 8),
        "a request that is cancelled while its connection is being checked loses the connection",
        "an async pool with check=",
        "upgrade psycopg_pool to 3.2.8 or later",
        "psycopg issues 1123 and 1208",
    ),
    KnownDefect(
        "async-pool-before-loop",
        "psycopg_pool",
        (3, 1, 0),
        (3, 1, 4),
        "an async pool made before the event loop starts exhausts its connections",
        "an async pool",
        "upgrade psycopg_pool to 3.1.4 or later",
        "psycopg issue 219",
    ),
    KnownDefect(
        "thread-in-atexit",
        "python",
        (3, 12, 0),
        (3, 12, 3),
        "no thread can be started from an atexit callback",
        "a sync pool that is opened while the program is ending",
        "upgrade Python to 3.12.3 or later",
        "CPython issue 113964",
    ),
    KnownDefect(
        "unclosed-pool-delays-exit",
        "python",
        (3, 13, 0),
        (3, 14, 0),
        "a sync pool that nobody closes holds up the exit by 5 s a thread",
        "a sync pool that is never closed: told as PW001 and PW003, not here",
        "close the pool",
        "psycopg issues 930 and 954",
    ),
)


def known_defects(versions: Mapping[str, Version]) -> list[KnownDefect]:
    """The faults of installed releases, whether or not the program meets them.

    Args:
        versions: component (``python``, ``psycopg``, ``psycopg_pool``) to its version.
    """
    return [
        defect for defect in KNOWN_DEFECTS if defect.component in versions and defect.covers(versions[defect.component])
    ]


@rule(
    "PW501",
    "known-defect",
    "this release has a known fault that applies here",
    confidence="proven",
    level="warning",
    subject=SNAPSHOT,
    fields=("poolwitness.defect", "poolwitness.source"),
)
def known_defect(snapshot: Snapshot) -> Iterator[Finding]:
    """PW501: one finding for each fault, about the first pool that it applies to."""
    for defect in known_defects(snapshot.process.versions):
        for pool in own_pools(snapshot):
            if _applies(defect, pool, snapshot.taken_at):
                yield _finding(defect, pool, snapshot)
                break


def _applies(defect: KnownDefect, pool: PoolRecord, now: float) -> bool:
    if defect.key == "idle-workers-die":
        return (
            not pool.info.is_async
            and pool.life.opened_at is not None
            and pool.life.state == "open"
            and now - pool.life.opened_at > LONG_LIVED_S
        )
    if defect.key == "open-race":
        return not pool.info.is_async and pool.life.opened_by_threads > 1
    if defect.key == "cancelled-check-loses-connection":
        return pool.info.is_async and pool.info.has_check and pool.life.opened_at is not None
    if defect.key == "thread-in-atexit":
        return not pool.info.is_async and pool.life.open_error == "RuntimeError"
    if defect.key == "async-pool-before-loop":
        return pool.info.is_async and pool.life.opened_at is not None
    return False


def _finding(defect: KnownDefect, pool: PoolRecord, snapshot: Snapshot) -> Finding:
    version = ".".join(map(str, snapshot.process.versions[defect.component]))
    return known_defect.finding(
        message=(
            f"{defect.component} {version} has a known fault that applies to {pool_label(pool)}, made at "
            f"{at_line(pool.info.created.origin)}: {defect.summary} ({defect.source})"
        ),
        fix=defect.advice,
        key=(defect.key,),
        pool=pool,
        stack=pool.info.created,
        extra={"poolwitness.defect": defect.key, "poolwitness.source": defect.source},
    )
