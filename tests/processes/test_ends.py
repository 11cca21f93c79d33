"""Every way for a process to end has its report: exactly one verdict a process, or the black box where none can be."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from tests.processes.ends.cells import PROGRAMS, SERVERS, Cell
from tests.processes.ends.parallel_runs import ParallelRuns
from tests.processes.ends.run import CellRun
from tests.processes.ends.table import PAGE, page
from tests.support.commands import cli
from tests.support.programs import strict

# What counts as the same time to end: the verdict is some work, for which others may be before it in the queue.
RATIO, NOISE_S, TIMES = 1.2, 0.3, 5

ends = [
    pytest.mark.servers,
    pytest.mark.matrix,
    pytest.mark.per_python,
    pytest.mark.skipif(sys.platform == "win32", reason="these are ends of POSIX processes"),
]
CELLS = [
    pytest.param(
        cell, id=cell.id, marks=[*ends, *([pytest.mark.skip(reason=cell.why_not())] if cell.why_not() else [])]
    )
    for cell in (*PROGRAMS, *SERVERS)
]


@pytest.mark.parametrize("cell", CELLS)
def test_its_end_has_its_report(cell: Cell, runs: ParallelRuns) -> None:
    """One verdict from the hook that the table names, or none, and then all of it is in the black box."""
    if cell.needs and importlib.util.find_spec(cell.needs) is None:
        pytest.fail(f"{cell.needs} is not installed: pip install '.[servers]'")
    with_agent, without = runs.pair(cell)
    assert (with_agent.status, without.status) == (cell.status, cell.status), with_agent.stderr
    assert with_agent.words == without.words
    assert without.events == []
    hook = cell.hook()
    started = [pid for pid in with_agent.pids if with_agent.of(pid, "poolwitness.agent.started")]
    assert len(started) == cell.processes, with_agent.events
    for pid in started:
        told = with_agent.of(pid, "poolwitness.verdict")
        assert [verdict["poolwitness.hook"] for verdict in told] == ([hook] if hook else []), with_agent.stderr
        assert [verdict["poolwitness.found.PW001"] for verdict in told] == [1] * len(told)
        if not hook:
            assert_in_black_box(with_agent.boxes, pid)


@pytest.mark.parametrize("cell", CELLS)
def test_its_end_takes_as_long_as_without_the_agent(cell: Cell, runs: ParallelRuns) -> None:
    """The best of some runs, where it seems to have taken longer."""
    pairs = [runs.pair(cell)]
    while (times := _best(pairs))[0] > times[1] * RATIO + NOISE_S * _crowd():
        assert len(pairs) < TIMES, f"{times[0]:.2f} s with the agent, {times[1]:.2f} s without"
        pairs.append(runs.again(cell))


def _crowd() -> float:
    """How many want each processor."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _best(pairs: list[tuple[CellRun, CellRun]]) -> tuple[float, float]:
    return min(pair[0].seconds for pair in pairs), min(pair[1].seconds for pair in pairs)


def assert_in_black_box(boxes: Path, pid: int) -> None:
    """What could not be told is told by ``poolwitness postmortem``."""
    done = cli("postmortem", "--keep", "--format", "json", str(boxes))
    events = [strict(line) for line in done.stdout.encode().splitlines(keepends=True)]
    left = [event for event in events if event["process.pid"] == pid and event["event"] == "poolwitness.pool.state"]
    assert [event["poolwitness.pool.state"] for event in left] == ["open"], done.stdout + done.stderr


def test_the_page_is_the_table_that_is_proved_here() -> None:
    """``POOLWITNESS_WRITE_ENDS=1`` writes it."""
    if os.environ.get("POOLWITNESS_WRITE_ENDS"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_cell_is_told_apart() -> None:
    ids = [cell.id for cell in (*PROGRAMS, *SERVERS)]
    assert len(set(ids)) == len(ids)
