"""Note what each worker of a pool is at, and since when: a worker that does not come back from a task is stuck."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import WorkerTask
from poolwitness.observe.patcher import AnyFunction, Patcher


class StintWatch:
    """The patches of the pools' maintenance tasks.

    Args:
        ledger: where the pools are kept.
        came_back: told, in the worker, of a stint that was suspected and is over.
        part: the containment.
    """

    def __init__(self, ledger: Ledger, came_back: Callable[[WorkerTask], None], part: Guard) -> None:
        self.ledger = ledger
        self.came_back = came_back
        self.part = part
        self._ids = itertools.count(1)

    def install(self, patches: Patcher) -> None:
        """Patch the tasks of both families."""
        from psycopg_pool import pool

        patches.wrap(pool.MaintenanceTask, "run", self._sync)
        # The async module has had both names.
        for name in ("psycopg_pool.pool_async", "psycopg_pool.async_pool"):
            tasks = getattr(sys.modules.get(name), "MaintenanceTask", None)
            if tasks is not None and tasks is not pool.MaintenanceTask:
                patches.wrap(tasks, "run", self._async)

    def _sync(self, original: AnyFunction) -> AnyFunction:
        def run(self_: Any, *args: Any, **kwargs: Any) -> Any:
            stint = None
            if self.part.enabled:
                with self.part:
                    stint = self._begin(self_, threading.current_thread())
            try:
                return original(self_, *args, **kwargs)
            finally:
                if stint is not None:
                    with self.part:
                        self._end(stint)

        return run

    def _async(self, original: AnyFunction) -> AnyFunction:
        async def run(self_: Any, *args: Any, **kwargs: Any) -> Any:
            stint = None
            if self.part.enabled:
                with self.part:
                    stint = self._begin(self_, asyncio.current_task())
            try:
                return await original(self_, *args, **kwargs)
            finally:
                if stint is not None:
                    with self.part:
                        self._end(stint)

        return run

    def _begin(self, task: Any, runner: Any) -> WorkerTask | None:
        entry = self.ledger.find(task.pool())
        if entry is None or runner is None:
            return None
        stint = WorkerTask(next(self._ids), entry, id(runner), type(task).__name__, time.monotonic())
        entry.stints[stint.runner_id] = stint
        return stint

    def _end(self, stint: WorkerTask) -> None:
        stint.over_mono = time.monotonic()
        stint.entry.stints.pop(stint.runner_id, None)
        if stint.suspected:
            self.came_back(stint)
