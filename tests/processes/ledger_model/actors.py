"""Threads that do one thing at a time, as they are told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

PATIENCE_S = 30.0


class Actor:
    """A thread by the name of *name* that runs what it is handed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._orders: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def begin(self, action: Callable[[], Any]) -> Future[Any]:
        """Have it run something, and go on."""
        done: Future[Any] = Future()
        self._orders.put((action, done))
        return done

    def do(self, action: Callable[[], Any]) -> Any:
        """Have it run something, and wait for what comes of it."""
        return self.begin(action).result(PATIENCE_S)

    def end(self) -> None:
        """End the thread."""
        self._orders.put(None)
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            action, done = order
            try:
                done.set_result(action())
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever gave the order
                done.set_exception(error)
            # Nothing of it may stay in this frame: the connection would live as long as the thread idles.
            del order, action, done
