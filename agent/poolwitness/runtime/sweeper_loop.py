"""The timer that sweeps periodically on an event loop: if there are only async pools, no thread of ours is needed."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

from poolwitness.guards import Guard


class SweeperLoop:
    """One timer on each event loop that has open pools.

    Args:
        interval_s: seconds between two sweeps.
        sweep: called in the loop's thread; contains what it raises; False ends the sweeping of that loop.
    """

    def __init__(self, interval_s: float, sweep: Callable[[], bool]) -> None:
        self.interval_s = interval_s
        self.sweep = sweep
        # Never the timers: each holds its loop.
        self._swept: weakref.WeakSet[Any] = weakref.WeakSet()
        self._stopped = False

    def start(self) -> None:
        """Sweep on the loop that runs now, unless it is swept already."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is None:
            return
        loop = asyncio.get_running_loop()
        if loop not in self._swept:
            self._swept.add(loop)
            self._schedule(loop)

    def stop(self) -> None:
        """Timers that are set will do nothing."""
        self._stopped = True

    def _schedule(self, loop: Any) -> None:
        def tick(ref: Any) -> None:
            # The loop's exception handler is the program's.
            try:
                with Guard("loop-sweeper"):
                    self._tick(ref)
            except BaseException:
                # It is the program's, which may go on with this loop.
                if not self._stopped and (loop := ref()) is not None and not loop.is_closed():
                    self._schedule(loop)
                raise

        loop.call_later(self.interval_s, tick, weakref.ref(loop))

    def _tick(self, ref: Any) -> None:
        loop = ref()
        if loop is None:
            return
        if not self._stopped and self.sweep() and not loop.is_closed():
            self._schedule(loop)
        else:
            self._swept.discard(loop)
