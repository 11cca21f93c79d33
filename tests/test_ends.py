"""Every way for a process to end has its report: exactly one verdict a process, or the black box where none can be."""

from __future__ import annotations

import importlib.util
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.commands import cli
from tests.ends.cells import PROGRAMS, SERVERS, Cell
from tests.ends.lives import live
from tests.ends.table import PAGE, page
from tests.programs import strict

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="these are ends of POSIX processes")


@needs_posix
@pytest.mark.slow
@pytest.mark.parametrize("cell", PROGRAMS, ids=lambda cell: cell.id)
def test_a_program_ends(cell: Cell, dsn: str, tmp_path: Path) -> None:
    prove(cell, dsn, tmp_path)


@needs_posix
@pytest.mark.servers
@pytest.mark.parametrize("cell", SERVERS, ids=lambda cell: cell.id)
def test_a_server_ends(cell: Cell, dsn: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(cell.needs) is None:
        pytest.skip(f"{cell.needs} is not installed: pip install '.[servers]'")
    prove(cell, dsn, tmp_path)


def prove(cell: Cell, dsn: str, folder: Path) -> None:
    """Run it with the agent and without, side by side, and compare."""
    runs = []
    with ThreadPoolExecutor(2) as both:
        for agent in (True, False):
            (folder / str(agent)).mkdir()
            runs.append(both.submit(live, cell, dsn, folder / str(agent), agent))
    with_agent, without = (run.result() for run in runs)
    assert (with_agent.status, without.status) == (cell.status, cell.status), with_agent.stderr
    assert without.events == []
    assert with_agent.stdout.count("served") == without.stdout.count("served")
    assert with_agent.seconds < without.seconds * 1.5 + 5.0, "the agent held up the end"
    hook = cell.hook()
    started = [pid for pid in with_agent.pids if with_agent.of(pid, "poolwitness.agent.started")]
    assert len(started) == cell.processes, with_agent.events
    for pid in started:
        told = with_agent.of(pid, "poolwitness.verdict")
        assert [verdict["poolwitness.hook"] for verdict in told] == ([hook] if hook else []), with_agent.stderr
        assert [verdict["poolwitness.found.PW001"] for verdict in told] == [1] * len(told)
        if not hook:
            assert_in_black_box(folder / "True" / "boxes", pid)


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
