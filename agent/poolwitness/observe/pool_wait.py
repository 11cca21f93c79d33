"""Record that a program waits for its pool to be filled, and whether that failed."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any

from poolwitness.model.startup import clock
from poolwitness.observe.crossings import WAITED, Crossings

# Gets the pool, the error, the caller's frame, and since when the request has waited (monotonic; 0 if it has not).
RequestFailed = Callable[[Any, BaseException, FrameType | None, float], object]


class PoolWaitPatches:
    """The lines that run around ``wait`` of a pool; each null pool has its own.

    Args:
        crossings: checks whether the pool can be filled from where it is waited for.
        request_failed: called with each error on its way to the application.
    """

    def __init__(self, crossings: Crossings, request_failed: RequestFailed) -> None:
        self.crossings = crossings
        self.request_failed = request_failed

    def waiting(self, pool: Any, frame: FrameType | None, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> float:
        """``wait()`` was called; gives the time."""
        self.crossings.check(pool, WAITED, frame)
        return clock.monotonic()

    def wait_failed(self, pool: Any, frame: FrameType | None, since_mono: float | None, error: BaseException) -> None:
        """``wait()`` raised."""
        if isinstance(error, Exception):
            self.request_failed(pool, error, frame, since_mono or 0.0)
