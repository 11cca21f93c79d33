"""Record what a pool's workers are doing, and the exception that a worker or scheduler dies of."""

from __future__ import annotations

import itertools
import sys
import threading
from types import FrameType
from typing import Any

from poolwitness.ledger.connections import WorkerTask, current_task
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observers
from poolwitness.ledger.stacks import raised_at
from poolwitness.model.startup import clock


class WorkerPatches:
    """The lines that run around the functions and tasks of workers and schedulers.

    Args:
        ledger: where the pools are tracked.
        observers: notified of a worker that died, and of a suspected one that has finished its task.
    """

    def __init__(self, ledger: Ledger, observers: Observers) -> None:
        self.ledger = ledger
        self.observers = observers
        self._ids = itertools.count(1)

    def thread_died(self, _owner: Any, _frame: FrameType | None, _token: Any, error: BaseException) -> None:
        """A worker's or scheduler's thread is ending by an exception."""
        thread = threading.current_thread()
        self._died(thread, thread.name, error)

    def task_died(self, _owner: Any, _frame: FrameType | None, _token: Any, error: BaseException) -> None:
        """A worker's or scheduler's asyncio task is ending by an exception."""
        # asyncio.run cancels what is left when its main task ends; the garbage collector closes what it finds, also
        # when the interpreter ends and asyncio is gone.
        asyncio = None if isinstance(error, GeneratorExit) else sys.modules.get("asyncio")
        if asyncio is None or isinstance(error, asyncio.CancelledError):
            return
        task = current_task()
        if task is not None:
            self._died(task, task.get_name(), error)

    def _died(self, runner: Any, name: str, error: BaseException) -> None:
        for pool in self.ledger.entries():
            if not any(known.name == name and known.ref() is runner for known in pool.runners):
                continue
            if pool.worker_errors is None:
                pool.worker_errors = {}
            pool.worker_errors[name] = (type(error).__name__, raised_at(error))
            if pool.state == "open" and not pool.inherited:
                self.ledger.report_change(pool, "worker_died")
            return

    def task_starting(
        self, task: Any, _frame: FrameType | None, _args: tuple[Any, ...], _kwargs: dict[str, Any]
    ) -> WorkerTask | None:
        """A worker starts to run one of the pool's tasks."""
        worker = current_task() or threading.current_thread()
        pool = self.ledger.find(task.pool())
        if pool is None:
            return None
        running = WorkerTask(next(self._ids), pool, id(worker), type(task).__name__, clock.monotonic())
        pool.worker_tasks[running.worker_id] = running
        return running

    def task_ended(self, _task: Any, _frame: FrameType | None, running: WorkerTask | None, _outcome: Any) -> None:
        """The worker has finished it, or it raised."""
        if running is None:
            return
        running.ended_mono = clock.monotonic()
        running.pool.worker_tasks.pop(running.worker_id, None)
        if running.suspected:
            self.observers.suspicion_cleared(running)


def task_classes() -> list[type]:
    """The base classes of the tasks that workers run, of both families."""
    from psycopg_pool import pool

    classes: list[type] = [pool.MaintenanceTask]
    # The async module has had both names.
    for name in ("psycopg_pool.pool_async", "psycopg_pool.async_pool"):
        found = getattr(sys.modules.get(name), "MaintenanceTask", None)
        if found is not None and found not in classes:
            classes.append(found)
    return classes


def async_scheduler() -> type | None:
    """The class of an async pool's scheduler; it has been in two modules."""
    from psycopg_pool import sched

    module = sys.modules.get("psycopg_pool.sched_async")
    return getattr(module, "AsyncScheduler", None) or getattr(sched, "AsyncScheduler", None)
