"""See a program wait for its pool to be filled, and what comes of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from poolwitness.guards import Guard
from poolwitness.observe.crossings import WAITED, Crossings
from poolwitness.observe.patcher import AnyFunction, Patcher


class FillingWatch:
    """The patches of ``wait``; each null pool has its own.

    Args:
        crossings: asked whether the pool can be filled from where it is waited for.
        failed: told of each error on its way to the application: the pool, the error, the caller's frame, and since
            when it had waited, in seconds of the monotonic clock.
        part: the containment.
    """

    def __init__(
        self, crossings: Crossings, failed: Callable[[Any, Exception, FrameType | None, float], None], part: Guard
    ) -> None:
        self.crossings = crossings
        self.failed = failed
        self.part = part

    def install(self, patches: Patcher) -> None:
        """Patch all four classes."""
        import psycopg_pool

        for cls in (psycopg_pool.ConnectionPool, psycopg_pool.NullConnectionPool):
            patches.wrap(cls, "wait", self._sync)
        for async_cls in (psycopg_pool.AsyncConnectionPool, psycopg_pool.AsyncNullConnectionPool):
            patches.wrap(async_cls, "wait", self._async)

    def _sync(self, original: AnyFunction) -> AnyFunction:
        def wait(self_: Any, *args: Any, **kwargs: Any) -> Any:
            self.crossings.look(self_, WAITED, sys._getframe().f_back)
            waited_from = time.monotonic()
            try:
                return original(self_, *args, **kwargs)
            except Exception as error:
                if self.part.enabled:
                    with self.part:
                        self.failed(self_, error, sys._getframe().f_back, waited_from)
                raise

        return wait

    def _async(self, original: AnyFunction) -> AnyFunction:
        async def wait(self_: Any, *args: Any, **kwargs: Any) -> Any:
            self.crossings.look(self_, WAITED, sys._getframe().f_back)
            waited_from = time.monotonic()
            try:
                return await original(self_, *args, **kwargs)
            except Exception as error:
                if self.part.enabled:
                    with self.part:
                        self.failed(self_, error, sys._getframe().f_back, waited_from)
                raise

        return wait
