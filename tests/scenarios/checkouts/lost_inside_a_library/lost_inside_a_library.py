"""A library takes the connection and loses it: the line to open is the application's call.

expect: PW101 at called
"""

import os

import shopdb  # type: ignore[import-not-found]  # installed outside the application
from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    print(shopdb.first_row(pool, "select 42"))  # mark: called
