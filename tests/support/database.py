"""The database of a test session: that of POOLWITNESS_TEST_DSN, or an embedded server that ends with the session."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from tests.support.postgres import embedded_postgres

_URI = pytest.StashKey[str]()


def uri_of(config: pytest.Config) -> str:
    """The URI of the session's database. The first call starts the server.

    Raises:
        pytest.UsageError: there is none to use.
    """
    if _URI not in config.stash:
        config.stash[_URI] = os.environ.get("POOLWITNESS_TEST_DSN") or _start(config)
    return config.stash[_URI]


def _start(config: pytest.Config) -> str:
    server = ExitStack()
    try:
        uri = server.enter_context(embedded_postgres())
    except ModuleNotFoundError as missing:
        raise pytest.UsageError(
            f"no PostgreSQL to test against, {missing.name} is not installed:"
            " set POOLWITNESS_TEST_DSN to the URI of a scratch database"
        ) from missing
    config.add_cleanup(server.close)
    return uri
