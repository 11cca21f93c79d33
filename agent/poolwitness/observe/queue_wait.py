"""Record requests that wait for a connection; installed only if an observer needs to know of each of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import FrameType
from typing import Any

from poolwitness.ledger.connections import current_task, running
from poolwitness.ledger.observers import Observers
from poolwitness.ledger.stacks import RawStack


class QueueWaitPatches:
    """The lines that run around ``wait`` of a place in a pool's queue.

    Args:
        observers: notified of each request.
        capture: captures the stack of the caller.
    """

    def __init__(self, observers: Observers, capture: Callable[[FrameType | None], RawStack]) -> None:
        self.observers = observers
        self.capture = capture

    def waiting(self, _place: Any, frame: FrameType | None, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> Any:
        """A request begins to wait."""
        # The place in the queue does not know its pool, but the method that waits in it is the pool's.
        pool = frame.f_locals.get("self") if frame is not None else None
        task = current_task()
        holder = str(task.get_name()) if task is not None else running().name
        return self.observers.request_waiting(pool, self.capture(frame), holder, task is not None)

    def waited(self, _place: Any, _frame: FrameType | None, waiting: Any, _outcome: Any) -> None:
        """It has its connection, or gave up."""
        if waiting is not None:
            self.observers.request_done(waiting)


def place_classes() -> list[type]:
    """The classes of a place in the queues of both families; a release that queues in another way has none."""
    classes = []
    for module in ("psycopg_pool.pool", "psycopg_pool.pool_async"):
        found = vars(importlib.import_module(module))
        place = found.get("WaitingClient") or found.get("AsyncClient")
        if place is not None and hasattr(place, "wait"):
            classes.append(place)
    return classes
