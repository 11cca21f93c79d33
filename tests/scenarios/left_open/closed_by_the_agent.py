"""Two pools left open, and the agent asked to close them: they are told, and the exit is not held up.

env: POOLWITNESS_CLOSE=1
expect: PW001 at orders
expect: PW001 at stock
"""

import os

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]

orders = ConnectionPool(DSN, open=True, min_size=1, num_workers=1, name="orders")  # mark: orders
stock = ConnectionPool(DSN, open=True, min_size=1, num_workers=1, name="stock")  # mark: stock

with orders.connection() as conn:
    print(conn.execute("select 'orders'").fetchone())
with stock.connection() as conn:
    print(conn.execute("select 'stock'").fetchone())
