"""An application as servers run it: its pool is made when first asked for, and nobody closes it."""

import os
import time
from typing import Any

from psycopg_pool import AsyncConnectionPool, ConnectionPool

_pools: "dict[str, Any]" = {}


def query() -> str:
    """Ask the database, by a pool of this process."""
    if "sync" not in _pools:
        _pools["sync"] = ConnectionPool(
            os.environ["DSN"], open=True, min_size=0, max_size=1, num_workers=1, name="shop"
        )  # mark: made
    with _pools["sync"].connection() as conn:
        return str(conn.execute("select 'served'").fetchone()[0])


def mark() -> None:
    """Say when the end begins, or that a request has begun."""
    with open(os.environ["MARK"], "w") as file:
        file.write(str(time.monotonic()))


def app(environ: "dict[str, Any]", start_response: Any) -> "list[bytes]":
    """The application of WSGI servers."""
    body = query().encode()
    if environ["PATH_INFO"] == "/slow":
        mark()
        time.sleep(60)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: "dict[str, Any]", receive: Any, send: Any) -> None:
    """The application of ASGI servers."""
    if scope["type"] != "http":
        return
    if "async" not in _pools:
        _pools["async"] = AsyncConnectionPool(
            os.environ["DSN"], open=False, min_size=0, max_size=1, num_workers=1, name="shop"
        )
        await _pools["async"].open()
    async with _pools["async"].connection() as conn:
        row = await (await conn.execute("select 'served'")).fetchone()
    body = str(row[0]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
