"""Watch a pool's workers and scheduler die: note the exception in the dying thread or task, then let it go on."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.pools import TrackedPool
from poolwitness.observe.patcher import AnyFunction, Patcher


class WorkerWatch:
    """The patches of the functions that workers and schedulers run."""

    def __init__(
        self,
        ledger: Ledger,
        died: Callable[[TrackedPool], None],
        describe_error: Callable[[Any, BaseException], str],
        part: Guard,
    ) -> None:
        self.ledger = ledger
        self.died = died
        self.describe_error = describe_error
        self.part = part

    def install(self, patches: Patcher) -> None:
        """Patch the worker functions of both families, and the schedulers."""
        import psycopg_pool
        from psycopg_pool import sched

        patches.wrap(psycopg_pool.ConnectionPool, "worker", self._sync)
        patches.wrap(psycopg_pool.AsyncConnectionPool, "worker", self._async)
        patches.wrap(sched.Scheduler, "run", self._sync)
        async_scheduler = getattr(sys.modules.get("psycopg_pool.sched_async"), "AsyncScheduler", None) or getattr(
            sched, "AsyncScheduler", None
        )
        if async_scheduler is not None:
            patches.wrap(async_scheduler, "run", self._async)

    def _sync(self, original: AnyFunction) -> AnyFunction:
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return original(*args, **kwargs)
            except BaseException as error:
                if self.part.enabled:
                    with self.part:
                        self._note(threading.current_thread(), threading.current_thread().name, error)
                raise

        return run

    def _async(self, original: AnyFunction) -> AnyFunction:
        async def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return await original(*args, **kwargs)
            except (asyncio.CancelledError, GeneratorExit):
                # asyncio.run cancels what is left when its main task ends, the garbage collector what it finds.
                raise
            except BaseException as error:
                if self.part.enabled:
                    with self.part:
                        task = asyncio.current_task()
                        if task is not None:
                            self._note(task, task.get_name(), error)
                raise

        return run

    def _note(self, runner: Any, name: str, error: BaseException) -> None:
        for entry in self.ledger.entries():
            for _, ref, known, _ in entry.threads:
                if known == name and ref() is runner:
                    entry.worker_errors[name] = (type(error).__name__, self.describe_error(entry.ref(), error))
                    if entry.state == "open" and not entry.inherited:
                        self.died(entry)
                    return
