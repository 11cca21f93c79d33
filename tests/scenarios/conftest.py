"""Start all selected scenarios together before the first test: most of them sleep, and other tests run meanwhile."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.database import uri_of
from tests.support.scenarios.collection import Scenario
from tests.support.scenarios.parallel_runs import ParallelRuns
from tests.support.scenarios.scenario_header import HeaderError

_RUNS = pytest.StashKey[ParallelRuns]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that wait for a scenario last."""
    items.sort(key=lambda item: _waits_for(item) is not None)


def pytest_runtestloop(session: pytest.Session) -> None:
    """Start the scenarios that the selected tests wait for."""
    selected = list(filter(None, map(_waits_for, session.items)))
    if not selected or session.config.option.collectonly:
        return
    dsn = uri_of(session.config)
    resources = ExitStack()
    session.config.add_cleanup(resources.close)
    folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="scenarios-"))
    runs = session.config.stash[_RUNS] = ParallelRuns(filter(_runs_here, selected), dsn, Path(folder))
    resources.callback(runs.close)


@pytest.fixture(scope="session")
def runs(pytestconfig: pytest.Config) -> ParallelRuns:
    """The runs of all selected scenarios."""
    return pytestconfig.stash[_RUNS]


def _waits_for(item: pytest.Item) -> tuple[Scenario, str] | None:
    callspec = getattr(item, "callspec", None)
    params = {} if callspec is None else callspec.params
    scenario, mode = params.get("scenario"), params.get("mode")
    return (scenario, mode) if isinstance(scenario, Scenario) and mode is not None else None


def _runs_here(selected: tuple[Scenario, str]) -> bool:
    try:
        return selected[0].header.runs_here
    except HeaderError:
        return False  # the tests that read it fail, and say why
