"""The periodic look where there are async pools alone: on their own event loop, since no thread of ours is wanted."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

from poolwitness.guards import Guard, fail


class LoopSweeper:
    """One timer on each event loop that has open pools.

    Args:
        interval_s: seconds between two looks.
        look: called in the loop's thread; contains what it raises; False ends the sweeping of that loop.
    """

    def __init__(self, interval_s: float, look: Callable[[], bool]) -> None:
        self.interval_s = interval_s
        self.look = look
        # Never the timers: each holds its loop.
        self._swept: weakref.WeakSet[Any] = weakref.WeakSet()
        self._stopped = False

    def start(self) -> None:
        """Sweep on the loop that is running now, if it is not swept yet."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is None:
            return
        loop = asyncio.get_running_loop()
        if loop not in self._swept:
            self._swept.add(loop)
            self._schedule(loop)

    def stop(self) -> None:
        """The timers that are set will find that they are not wanted."""
        self._stopped = True

    def _schedule(self, loop: Any) -> None:
        def tick(ref: Any) -> None:
            try:
                self._tick(ref)
            except Exception as error:  # noqa: BLE001 - the loop's exception handler is the program's
                fail(Guard("loop-sweeper"), type(error), error.__traceback__)

        loop.call_later(self.interval_s, tick, weakref.ref(loop))

    def _tick(self, ref: Any) -> None:
        loop = ref()
        if loop is None:
            return
        if not self._stopped and self.look() and not loop.is_closed():
            self._schedule(loop)
        else:
            self._swept.discard(loop)
