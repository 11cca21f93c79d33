"""See requests wait for a connection: asked only where a black box is kept, since nobody else needs to know of each."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from poolwitness.guards import Guard
from poolwitness.ledger.connections import running
from poolwitness.ledger.stacks import RawStack
from poolwitness.observe.call_site import capture_for
from poolwitness.observe.patcher import AnyFunction, Patcher

NOT_KNOWN = 0, 0


class WaitListener(Protocol):
    """Who is told of requests that wait."""

    def began_waiting(self, pool: Any, raw: RawStack, holder: str, in_task: bool) -> tuple[int, int]:
        """A request begins to wait; gives what `ended_waiting` takes."""

    def ended_waiting(self, at: int, pid: int) -> None:
        """It has its connection, or gave up."""


class WaitWatch:
    """The patch of ``wait`` on the places in the pools' queues.

    Args:
        listener: who is told.
        trace: record up to `MOST_FRAMES` frames instead of two.
        part: the containment.
    """

    def __init__(self, listener: WaitListener, trace: bool, part: Guard) -> None:
        self.listener = listener
        self.capture: Callable[[FrameType | None], RawStack] = capture_for(trace)
        self.part = part

    def install(self, patches: Patcher) -> None:
        """Patch both families; a release that queues in another way is left alone."""
        for module, is_async in (("psycopg_pool.pool", False), ("psycopg_pool.pool_async", True)):
            found = vars(importlib.import_module(module))
            place = found.get("WaitingClient") or found.get("AsyncClient")
            if place is not None and hasattr(place, "wait"):
                patches.wrap(place, "wait", self._async if is_async else self._sync)

    def _sync(self, original: AnyFunction) -> AnyFunction:
        def wait(self_: Any, *args: Any, **kwargs: Any) -> Any:
            waiting = NOT_KNOWN
            if self.part.enabled:
                with self.part:
                    waiting = self._begin(sys._getframe(1), None)
            try:
                return original(self_, *args, **kwargs)
            finally:
                if self.part.enabled:
                    with self.part:
                        self.listener.ended_waiting(*waiting)

        return wait

    def _async(self, original: AnyFunction) -> AnyFunction:
        async def wait(self_: Any, *args: Any, **kwargs: Any) -> Any:
            waiting = NOT_KNOWN
            if self.part.enabled:
                with self.part:
                    waiting = self._begin(sys._getframe(1), asyncio.current_task())
            try:
                return await original(self_, *args, **kwargs)
            finally:
                if self.part.enabled:
                    with self.part:
                        self.listener.ended_waiting(*waiting)

        return wait

    def _begin(self, frame: FrameType, task: Any) -> tuple[int, int]:
        # The place in the queue does not know its pool, but the method that waits in it is the pool's.
        pool = frame.f_locals.get("self")
        holder = str(task.get_name()) if task is not None else running().name
        return self.listener.began_waiting(pool, self.capture(frame), holder, task is not None)
