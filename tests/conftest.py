from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from tests.postgres import embedded_postgres

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


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter that runs the programs under test: the one into which the wheel was installed."""
    return sys.executable
