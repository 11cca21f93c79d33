"""See a closed pool used: PoolClosed on its way to the application (PW005)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.stacks import capture
from poolwitness.observe.patcher import AnyFunction, Patcher


class ClosedUses:
    """The patches of what a pool asks itself before it serves.

    Args:
        ledger: where pools are kept.
        told: called with a pool at the first such use of it.
        part: the containment.
        requests_watched: somebody else sees each getconn fail, and hands it to `note`.
    """

    def __init__(
        self, ledger: Ledger, told: Callable[[TrackedPool], None], part: Guard, requests_watched: bool
    ) -> None:
        self.ledger = ledger
        self.told = told
        self.part = part
        self.requests_watched = requests_watched

    def install(self, patches: Patcher) -> None:
        """Patch both families."""
        import psycopg_pool

        for cls in (psycopg_pool.ConnectionPool, psycopg_pool.AsyncConnectionPool):
            patches.wrap(cls, "_check_open", self._check)
            if not self.requests_watched:
                # Every getconn asks it: a patch would be on the way of each.
                patches.wrap(cls, "_check_open_getconn", self._check)

    def _check(self, original: AnyFunction) -> AnyFunction:
        def check_open(self_: Any) -> Any:
            try:
                return original(self_)
            except BaseException as error:
                # Before psycopg_pool 3.3.1 opening again raises a plain OperationalError.
                if self.part.enabled and type(error).__name__ == "PoolClosed":
                    with self.part:
                        self.note(self_, waiting=False)
                raise

        return check_open

    def note(self, pool: Any, waiting: bool) -> None:
        """Remember from where a pool was used.

        Args:
            pool: the host's.
            waiting: it was closed while the request waited.
        """
        entry = self.ledger.find(pool)
        if entry is None or entry.inherited or not pool._closed or not getattr(pool, "_opened", False):
            return
        if entry.use_after_close is None:
            entry.use_after_close = [capture(3, 24), 1, waiting]
            self.told(entry)
        else:
            entry.use_after_close[1] += 1


def found_closed(error: BaseException) -> bool:
    """Whether the pool was closed when it was asked, and not while the request waited."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and traceback.tb_frame.f_code.co_name.startswith("_check_open")
