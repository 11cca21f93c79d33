from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ends.book import EndsBook
from tests.ends.cells import Cell
from tests.support import every_line
from tests.support.database import uri_of

# A shell starts its background jobs with Ctrl-C ignored, and every program under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_ENDS = pytest.StashKey[EndsBook]()


@pytest.fixture(scope="session")
def dsn(pytestconfig: pytest.Config) -> str:
    """The URI of a PostgreSQL to use."""
    return uri_of(pytestconfig)


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
    """Put the tests that wait for a process end last."""
    items.sort(key=lambda item: _cell_of(item) is not None)


def pytest_runtestloop(session: pytest.Session) -> None:
    """Start the cells that the selected tests wait for."""
    wanted = {cell.id: cell for cell in map(_cell_of, session.items) if cell and not cell.why_not()}
    if not wanted or session.config.option.collectonly:
        return
    dsn = uri_of(session.config)
    resources = ExitStack()
    session.config.add_cleanup(resources.close)
    folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="ends-"))
    ends = session.config.stash[_ENDS] = EndsBook(wanted.values(), dsn, Path(folder))
    resources.callback(ends.close)


@pytest.fixture(scope="session")
def ends_book(pytestconfig: pytest.Config) -> EndsBook:
    """The runs of all selected cells of the table of ends."""
    return pytestconfig.stash[_ENDS]


def _cell_of(item: pytest.Item) -> Cell | None:
    callspec = getattr(item, "callspec", None)
    cell = None if callspec is None else callspec.params.get("cell")
    return cell if isinstance(cell, Cell) else None
