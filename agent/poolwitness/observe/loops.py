"""The periodic look where there are async pools alone: on their own event loop, since no thread of ours is wanted."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any


class LoopSweeper:
    """One timer on each event loop that has open pools.

    Args:
        interval_s: seconds between two looks.
        look: called in the loop's thread; contains what it raises; False ends the sweeping of that loop.
    """

    def __init__(self, interval_s: float, look: Callable[[], bool]) -> None:
        self.interval_s = interval_s
        self.look = look
        self._handles: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()

    def start(self) -> None:
        """Sweep on the loop that is running now, if it is not swept yet."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is None:
            return
        loop = asyncio.get_running_loop()
        if loop not in self._handles:
            self._schedule(loop)

    def stop(self) -> None:
        """Cancel the timers."""
        for handle in list(self._handles.values()):
            handle.cancel()
        self._handles.clear()

    def _schedule(self, loop: Any) -> None:
        self._handles[loop] = loop.call_later(self.interval_s, self._tick, weakref.ref(loop))

    def _tick(self, ref: Any) -> None:
        loop = ref()
        if loop is None:
            return
        self._handles.pop(loop, None)
        if self.look() and not loop.is_closed():
            self._schedule(loop)
