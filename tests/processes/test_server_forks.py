"""PW401 under the servers that fork: a pool that was opened before, used in a worker; and the advice, followed."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from typing import Any

import pytest

from tests.processes.ends.cells import ATEXIT, NO_UWSGI, TERM, Cell, celery, gunicorn, uwsgi
from tests.processes.ends.parallel_runs import ParallelRuns
from tests.processes.ends.run import PROGRAMS, CellRun

pytestmark = [
    pytest.mark.servers,
    pytest.mark.matrix,
    pytest.mark.per_python,
    pytest.mark.skipif(sys.platform == "win32", reason="these are ends of POSIX processes"),
]
GUNICORN = gunicorn("--preload", "--config", "before_fork_gunicorn.py", app="before_fork:app")
BEFORE = (
    Cell("gunicorn", "opened before", GUNICORN, ATEXIT, (TERM,), needs="gunicorn"),
    Cell("celery", "opened before", celery("prefork", app="before_fork_tasks"), ATEXIT, (TERM,), needs="celery"),
    Cell("uwsgi", "opened before", uwsgi(app="before_fork:app"), ATEXIT, (TERM,), needs="pyuwsgi", not_run=NO_UWSGI),
)
ADVICE = {
    "gunicorn": "`post_fork(server, worker)`",
    "celery": "worker_process_init",
    "uwsgi": "uwsgidecorators.postfork",
}
HOOK = {"gunicorn": "atexit", "celery": "celery.worker_process_shutdown", "uwsgi": "atexit"}


def cells(opened: str) -> list[Any]:
    """A cell for each server."""
    return [
        pytest.param(
            replace(cell, end=f"opened {opened}", env={"OPENED": opened}),
            id=cell.model,
            marks=pytest.mark.skipif(bool(cell.why_not()), reason=cell.why_not()),
        )
        for cell in BEFORE
    ]


def ran_with_agent(cell: Cell, runs: ParallelRuns) -> CellRun:
    """Its run with the agent, which differs in nothing from that without."""
    if importlib.util.find_spec(cell.needs) is None:
        pytest.fail(f"{cell.needs} is not installed: pip install '.[servers]'")
    with_agent, without = runs.pair(cell)
    assert (with_agent.status, without.status) == (0, 0), with_agent.stderr
    assert with_agent.words == without.words
    assert "part_disabled" not in str(with_agent.events)
    return with_agent


def found_in(ran: CellRun) -> list[dict[str, Any]]:
    """The findings of all its processes."""
    return [event for event in ran.events if event["event"] == "poolwitness.finding"]


def line(mark: str) -> int:
    """Where a mark stands in the application."""
    lines = (PROGRAMS / "before_fork.py").read_text(encoding="utf-8").splitlines()
    (number,) = [number for number, text in enumerate(lines, 1) if f"# mark: {mark}" in text]
    return number


@pytest.mark.parametrize("cell", cells("before"))
def test_a_worker_that_uses_the_pool_of_its_server_is_told(cell: Cell, runs: ParallelRuns) -> None:
    ran = ran_with_agent(cell, runs)
    (found,) = found_in(ran)
    master, worker = ran.pids
    assert (found["poolwitness.rule"], found["poolwitness.forked_by"]) == ("PW401", cell.model)
    assert (found["process.pid"], found["poolwitness.opened_pid"]) == (worker, master)
    assert (found["code.file.path"], found["code.line.number"]) == (str(PROGRAMS / "before_fork.py"), line("used"))
    assert found["poolwitness.opened_at"] == f"{PROGRAMS / 'before_fork.py'}:{line('opened')}"
    assert ADVICE[cell.model] in found["poolwitness.fix"]
    (verdict,) = ran.of(worker, "poolwitness.verdict")
    assert (verdict["poolwitness.hook"], verdict["poolwitness.found.PW401"]) == (HOOK[cell.model], 1)
    # uWSGI's master runs no exit hook.
    assert [told["poolwitness.verdict"] for told in ran.of(master, "poolwitness.verdict")] == (
        [] if cell.model == "uwsgi" else ["clean"]
    )


@pytest.mark.parametrize("cell", cells("after"))
def test_a_pool_that_is_opened_as_advised_is_clean(cell: Cell, runs: ParallelRuns) -> None:
    ran = ran_with_agent(cell, runs)
    assert found_in(ran) == []
    told = [event for event in ran.events if event["event"] == "poolwitness.verdict"]
    assert HOOK[cell.model] in [verdict["poolwitness.hook"] for verdict in told]
    assert {verdict["poolwitness.verdict"] for verdict in told} == {"clean"}
