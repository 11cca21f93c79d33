"""One line registers a type the first time it meets it: five types are not five times the same.

expect: clean
"""

import os

from psycopg.types.string import TextLoader
from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
    for name in ("date", "time", "timestamp", "timestamptz", "timetz", "interval", "uuid"):
        with pool.connection() as conn:
            conn.adapters.register_loader(name, TextLoader)
            print(conn.execute(f"select null::{name}").fetchone())
