"""Detect a pool that is used in another process, or on another event loop, than the one it was opened in.

Checked before the host's call: a pool whose workers stayed behind may never answer it.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.connections import runner_name
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observers
from poolwitness.ledger.pools import TrackedPool
from poolwitness.ledger.stacks import capture
from poolwitness.ledger.tallies import CrossingTally
from poolwitness.observe.deployment import process_manager, test_runner
from poolwitness.observe.patcher import Before

USED, WAITED, CLOSED, RETURNED = "used", "waited for", "closed", "given a connection back"
CHECKED, DRAINED = "checked", "drained"
_FRAMES = 24


class Crossings:
    """Checks each use that may have crossed.

    Args:
        ledger: where pools are tracked.
        observers: notified of a pool that crossed, for the first time in this process.
        guard: contains what our lines raise.
    """

    def __init__(self, ledger: Ledger, observers: Observers, guard: Guard) -> None:
        self.ledger = ledger
        self.observers = observers
        self.guard = guard

    def before(self, use: str) -> Before:
        """What stands before a method that is such a use."""

        def check(pool: Any, frame: FrameType | None, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
            self.check(pool, use, frame)

        return check

    def check(self, pool: Any, use: str, frame: FrameType | None) -> None:
        """Record the use of a pool in a process or on a loop that is not its own.

        Args:
            pool: the host's.
            use: how it is used.
            frame: the caller's innermost one.
        """
        with self.guard:
            if not self.guard.enabled:
                return
            self.ledger.synchronize()
            tracked = self.ledger.find(pool)
            if tracked is None or tracked.life.opened_at is None or tracked.life.closed_at is not None:
                return
            if tracked.inherited:
                self._check_process(tracked, use, frame)
            elif tracked.life.loop is not None:
                self._check_loop(tracked, use, frame)

    def _check_process(self, tracked: TrackedPool, use: str, frame: FrameType | None) -> None:
        if tracked.crossed_fork is not None:
            tracked.crossed_fork.count += 1
            return
        tracked.crossed_fork = CrossingTally(capture(frame, _FRAMES), use, process_manager())
        self.observers.pool_changed(tracked, "crossed_fork")

    def _check_loop(self, tracked: TrackedPool, use: str, frame: FrameType | None) -> None:
        running = sys.modules["asyncio"]._get_running_loop()
        opened_on = tracked.life.loop()
        # Without a running loop it is not known where the call will go on.
        if running is None or running is opened_on:
            return
        if tracked.crossed_loops is not None:
            tracked.crossed_loops.count += 1
            return
        used_from = capture(frame, _FRAMES)
        tracked.crossed_loops = CrossingTally(
            used_from,
            use,
            test_runner(used_from),
            opened_on=tracked.life.opened_in,
            used_on=f"{type(running).__name__} in {runner_name()}",
            ended=opened_on is None or opened_on.is_closed(),
        )
        self.observers.pool_changed(tracked, "crossed_loops")
