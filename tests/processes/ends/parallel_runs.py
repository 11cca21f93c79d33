"""Run many cells at the same time: most of their time is waiting."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tests.processes.ends.cells import Cell
from tests.processes.ends.run import CellRun, run_cell

Pair = tuple[CellRun, CellRun]

# Each is two processes at least. On Python 3.13 they sleep most of the time, in the finalizer of the open pool.
AT_ONCE = 6 if sys.version_info[:2] == (3, 13) else 2


class ParallelRuns:
    """The cells that a test session needs, each run with the agent and without, side by side; all started at once.

    Args:
        cells: which.
        dsn: the database.
        folder: an empty one.
    """

    def __init__(self, cells: Iterable[Cell], dsn: str, folder: Path) -> None:
        self._dsn = dsn
        self._folder = folder
        self._alone = threading.Lock()
        self._count = 0
        self._executor = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ends")
        self._started = {cell.id: self._executor.submit(self._pair, cell) for cell in cells}

    def pair(self, cell: Cell) -> Pair:
        """Both runs of a cell: with the agent, and without."""
        return self._started[cell.id].result()

    def again(self, cell: Cell) -> Pair:
        """Two more."""
        with self._alone:
            return self._pair(cell)

    def close(self) -> None:
        """Start nothing more, and wait for what is under way."""
        self._executor.shutdown(cancel_futures=True)

    def _pair(self, cell: Cell) -> Pair:
        folder = self._folder / str(self._next())
        runs: list[Future[CellRun]] = []
        with ThreadPoolExecutor(2) as both:
            for agent in (True, False):
                own = folder / ("with" if agent else "without")
                own.mkdir(parents=True)
                runs.append(both.submit(run_cell, cell, self._dsn, own, agent))
        return runs[0].result(), runs[1].result()

    def _next(self) -> int:
        with _counting:
            self._count += 1
            return self._count


_counting = threading.Lock()
