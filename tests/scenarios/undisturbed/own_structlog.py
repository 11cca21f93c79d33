"""A program with its own structlog configuration, which neither sees the agent nor is seen by it.

expect: PW005 at closed
"""

import os
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from psycopg_pool import ConnectionPool, PoolClosed


def shout(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["event"] = event["event"].upper()
    return event


print("configured before:", structlog.is_configured())
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        shout,
        structlog.processors.JSONRenderer(sort_keys=True),
    ],
    logger_factory=structlog.PrintLoggerFactory(sys.stdout),
)
structlog.contextvars.bind_contextvars(customer="secret")
log = structlog.get_logger()

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:  # mark: closed
    with pool.connection() as conn:
        log.info("pinged", row=conn.execute("select 1").fetchone())
try:
    pool.getconn()
except PoolClosed:
    log.info("closed")
print(sorted(structlog.get_context(log)), sorted(structlog.contextvars.get_contextvars()))
