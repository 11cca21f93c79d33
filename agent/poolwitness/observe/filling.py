"""See a program wait for its pool to be filled, and PoolTimeout come of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from poolwitness.ledger import Ledger, PoolEntry
from poolwitness.observe.patches import AnyFunction, Patches
from poolwitness.safety import Part
from poolwitness.stacks import RawStack, capture_from


class FillingWatch:
    """The patches of ``wait``; each null pool has its own.

    Args:
        ledger: where the pools are kept.
        refused: told of each PoolTimeout on its way to the application, with the line that waited.
        part: the containment.
    """

    def __init__(
        self, ledger: Ledger, refused: Callable[[PoolEntry, BaseException, RawStack, float], None], part: Part
    ) -> None:
        self.ledger = ledger
        self.refused = refused
        self.part = part

    def install(self, patches: Patches) -> None:
        """Patch all four classes."""
        import psycopg_pool

        self.timeout = psycopg_pool.PoolTimeout
        for cls in (psycopg_pool.ConnectionPool, psycopg_pool.NullConnectionPool):
            patches.wrap(cls, "wait", self._sync)
        for async_cls in (psycopg_pool.AsyncConnectionPool, psycopg_pool.AsyncNullConnectionPool):
            patches.wrap(async_cls, "wait", self._async)

    def _sync(self, original: AnyFunction) -> AnyFunction:
        def wait(self_: Any, *args: Any, **kwargs: Any) -> Any:
            started_mono = time.monotonic()
            try:
                return original(self_, *args, **kwargs)
            except self.timeout as error:
                if self.part.enabled:
                    with self.part:
                        self._note(self_, error, sys._getframe(1), started_mono)
                raise

        return wait

    def _async(self, original: AnyFunction) -> AnyFunction:
        async def wait(self_: Any, *args: Any, **kwargs: Any) -> Any:
            started_mono = time.monotonic()
            try:
                return await original(self_, *args, **kwargs)
            except self.timeout as error:
                if self.part.enabled:
                    with self.part:
                        self._note(self_, error, sys._getframe(1), started_mono)
                raise

        return wait

    def _note(self, pool: Any, error: BaseException, frame: FrameType, started_mono: float) -> None:
        entry = self.ledger.find(pool)
        if entry is not None:
            self.refused(entry, error, capture_from(frame, 24), time.monotonic() - started_mono)
