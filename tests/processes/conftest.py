"""Start all selected cells of the table of ends together before the first test: most of their time is waiting."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes.ends.cells import Cell
from tests.processes.ends.parallel_runs import ParallelRuns
from tests.support.database import uri_of

_RUNS = pytest.StashKey[ParallelRuns]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that wait for a process end last."""
    items.sort(key=lambda item: _cell_of(item) is not None)


def pytest_runtestloop(session: pytest.Session) -> None:
    """Start the cells that the selected tests wait for."""
    selected = {cell.id: cell for cell in map(_cell_of, session.items) if cell}
    if not selected or session.config.option.collectonly:
        return
    dsn = uri_of(session.config)
    resources = ExitStack()
    session.config.add_cleanup(resources.close)
    folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="ends-"))
    runs = session.config.stash[_RUNS] = ParallelRuns(
        [cell for cell in selected.values() if not cell.why_not()], dsn, Path(folder)
    )
    resources.callback(runs.close)


@pytest.fixture(scope="session")
def runs(pytestconfig: pytest.Config) -> ParallelRuns:
    """The runs of all selected cells of the table of ends."""
    return pytestconfig.stash[_RUNS]


def _cell_of(item: pytest.Item) -> Cell | None:
    callspec = getattr(item, "callspec", None)
    cell = None if callspec is None else callspec.params.get("cell")
    return cell if isinstance(cell, Cell) else None
