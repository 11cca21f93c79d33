"""Three pools of three lines, all left open: the interpreter waits for one after the other.

expect: PW001 at orders
expect: PW001 at stock
expect: PW001 at audit
expect: PW003 at orders  [python>=3.13, pool>=3.2]
expect: PW003 at stock  [python>=3.13, pool>=3.2]
expect: PW003 at audit  [python>=3.13, pool>=3.2]
"""

import os

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]

orders = ConnectionPool(DSN, open=True, min_size=1, num_workers=1, name="orders")  # mark: orders
stock = ConnectionPool(DSN, open=True, min_size=1, num_workers=1, name="stock")  # mark: stock
audit = ConnectionPool(DSN, open=True, min_size=1, num_workers=1, name="audit")  # mark: audit

with orders.connection() as first, stock.connection() as second, audit.connection() as third:
    for conn in first, second, third:
        print(conn.execute("select 1").fetchone())
