"""See a pool used in another process, or on another event loop, than the one it was opened in.

Asked before the call goes on: a pool whose workers stayed elsewhere may never answer it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.stacks import capture_from
from poolwitness.observe.deployment import forker, tester
from poolwitness.observe.patcher import AnyFunction, Patcher
from poolwitness.observe.runners import runner_name

USED, WAITED, CLOSED, RETURNED = "used", "waited for", "closed", "given a connection back"
_FRAMES = 24
# These speak on every connection that the pool has in hand, and no other watch is interested in them.
_REST = {"check": "checked", "drain": "drained"}


class Crossings:
    """What the watches of the pools ask of each use that may have crossed.

    Args:
        ledger: where pools are kept.
        take_in: makes the ledger this process's own.
        crossed: called when a pool is found to have crossed, for the first time in this process.
        part: the containment.
    """

    def __init__(
        self, ledger: Ledger, take_in: Callable[[], None], crossed: Callable[[TrackedPool], None], part: Guard
    ) -> None:
        self.ledger = ledger
        self.take_in = take_in
        self.crossed = crossed
        self.part = part

    def install(self, patches: Patcher) -> None:
        """Patch what the other watches do not; a release that has no such method is left alone."""
        import psycopg_pool

        for name, use in _REST.items():
            patches.wrap(psycopg_pool.ConnectionPool, name, self._sync(use))
            patches.wrap(psycopg_pool.AsyncConnectionPool, name, self._async(use))

    def _sync(self, use: str) -> Callable[[AnyFunction], AnyFunction]:
        def make(original: AnyFunction) -> AnyFunction:
            def looked_at(self_: Any, *args: Any, **kwargs: Any) -> Any:
                self.look(self_, use, sys._getframe().f_back)
                return original(self_, *args, **kwargs)

            return looked_at

        return make

    def _async(self, use: str) -> Callable[[AnyFunction], AnyFunction]:
        def make(original: AnyFunction) -> AnyFunction:
            async def looked_at(self_: Any, *args: Any, **kwargs: Any) -> Any:
                self.look(self_, use, sys._getframe().f_back)
                return await original(self_, *args, **kwargs)

            return looked_at

        return make

    def look(self, pool: Any, use: str, frame: FrameType | None) -> None:
        """Note the use of a pool where it should not be.

        Args:
            pool: the host's.
            use: how it is used.
            frame: the innermost one of the caller's.
        """
        with self.part:
            if not self.part.enabled:
                return
            self.take_in()
            entry = self.ledger.find(pool)
            if entry is None or entry.opened_at is None or entry.closed_at is not None:
                return
            if entry.inherited:
                self._crossed_fork(entry, use, frame)
            elif entry.loop is not None:
                self._look_at_loop(entry, use, frame)

    def _crossed_fork(self, entry: TrackedPool, use: str, frame: FrameType | None) -> None:
        if entry.crossed_fork is not None:
            entry.crossed_fork[2] += 1
            return
        entry.crossed_fork = [capture_from(frame, _FRAMES), use, 1, forker()]
        self.crossed(entry)

    def _look_at_loop(self, entry: TrackedPool, use: str, frame: FrameType | None) -> None:
        running = sys.modules["asyncio"]._get_running_loop()
        opened_on = entry.loop()
        # Without a running loop nobody can say where the call will go on.
        if running is None or running is opened_on:
            return
        if entry.crossed_loops is not None:
            entry.crossed_loops[2] += 1
            return
        ended = opened_on is None or opened_on.is_closed()
        used = capture_from(frame, _FRAMES)
        entry.crossed_loops = [
            used,
            use,
            1,
            tester(used),
            entry.opened_in,
            f"{type(running).__name__} in {runner_name()}",
            ended,
        ]
        self.crossed(entry)
