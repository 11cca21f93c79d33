"""An application whose pool is made where it is imported: before the server forks its workers.

It is opened there too, or after the fork as `poolwitness explain PW401` advises, if OPENED says so.
"""

import atexit
import os
from typing import Any

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1, max_size=1, num_workers=1, name="shop")
atexit.register(lambda pid=os.getpid(): os.getpid() == pid and pool.close())  # type: ignore[misc]
if os.environ["OPENED"] == "before":
    pool.open(wait=True)  # mark: opened


def begin(*_: Any, **__: Any) -> None:
    """In a worker, after the fork."""
    if os.environ["OPENED"] == "after":
        pool.open()
        atexit.register(pool.close)


def query() -> str:
    """Ask the database, in a worker."""
    with pool.connection() as conn:  # mark: used
        return str(conn.execute("select 'served'").fetchone()[0])  # type: ignore[index]


def app(environ: "dict[str, Any]", start_response: Any) -> "list[bytes]":
    """The application of WSGI servers."""
    body = query().encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


try:
    import uwsgidecorators
except ImportError:  # another server, which is told elsewhere
    pass
else:
    uwsgidecorators.postfork(begin)
