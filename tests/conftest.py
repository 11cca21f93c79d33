from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from tests import every_line
from tests.ends.book import EndsBook
from tests.ends.cells import Cell
from tests.postgres import embedded_postgres
from tests.scenario_harness.book import RunBook
from tests.scenario_harness.collection import Scenario
from tests.scenario_harness.heads import HeadError

# A shell starts its background jobs with Ctrl-C ignored, and every program under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def dsn() -> Iterator[str]:
    """The URI of a PostgreSQL to use: POOLWITNESS_TEST_DSN, or an embedded one that ends with the session."""
    given = os.environ.get("POOLWITNESS_TEST_DSN")
    if given:
        yield given
        return
    try:
        with embedded_postgres() as uri:
            yield uri
    except ModuleNotFoundError as missing:
        pytest.fail(
            f"no PostgreSQL to test against, {missing.name} is not installed:"
            " set POOLWITNESS_TEST_DSN to the URI of a scratch database"
        )


@pytest.fixture(autouse=True)
def every_line_is_read(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test fails where the agent prints a line that is not as the contract says."""
    with every_line.read(broken=getattr(request.module, "BREAKS_THE_AGENT", False)):
        yield


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter that runs the programs under test: the one into which the wheel was installed."""
    return sys.executable


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests that wait for scenarios and ends come last: those run beside all the others."""
    items.sort(key=lambda item: 2 if _cell_of(item) else int(_scenario_of(item) is not None))


@pytest.fixture(scope="session", autouse=True)
def book(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunBook | None]:
    """The runs of all selected scenarios, started together, before the first test; None where none is selected."""
    wanted = list(filter(None, map(_scenario_of, request.session.items)))
    if not wanted:
        yield None
        return
    runs = RunBook(wanted, request.getfixturevalue("dsn"), tmp_path_factory.mktemp("interpreter"))
    yield runs
    runs.close()


@pytest.fixture(scope="session", autouse=True)
def ends_book(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndsBook | None]:
    """The lives of all selected cells of the table of ends, started together; None where none is selected."""
    wanted = {cell.id: cell for cell in map(_cell_of, request.session.items) if cell and not cell.why_not()}
    if not wanted:
        yield None
        return
    lives = EndsBook(wanted.values(), request.getfixturevalue("dsn"), tmp_path_factory.mktemp("ends"))
    yield lives
    lives.close()


def _cell_of(item: pytest.Item) -> Cell | None:
    callspec = getattr(item, "callspec", None)
    cell = None if callspec is None else callspec.params.get("cell")
    return cell if isinstance(cell, Cell) else None


def _scenario_of(item: pytest.Item) -> tuple[Scenario, str] | None:
    callspec = getattr(item, "callspec", None)
    params = {} if callspec is None else callspec.params
    scenario, way = params.get("scenario"), params.get("way")
    if not isinstance(scenario, Scenario) or way is None:
        return None
    try:
        return (scenario, way) if scenario.head.runs_here else None
    except HeadError:
        return None  # the tests that read it fail, and say why
