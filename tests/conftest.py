from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest

from tests.support import every_line
from tests.support.database import uri_of

# A shell starts its background jobs with Ctrl-C ignored, and every program under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
