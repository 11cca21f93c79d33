"""A program that logs a lot on the same stderr, with handlers, levels and filters of its own.

expect: clean
"""

import logging
import os
import sys

from psycopg_pool import ConnectionPool

logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s:%(name)s:%(message)s")
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
log = logging.getLogger("shop")

with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
    for number in range(300):
        with pool.connection() as conn:
            conn.execute("select 1")
        log.info("order %s is packed %s", number, "." * 200)

root = logging.getLogger()
print(root.level, [type(handler).__name__ for handler in root.handlers], root.filters, logging.root.disabled)
print("known:", sorted(name for name in root.manager.loggerDict if name.startswith("pool")))
