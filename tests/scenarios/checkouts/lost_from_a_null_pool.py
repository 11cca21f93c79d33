"""A null pool has slots too: a connection that is dropped leaves one place less.

expect: PW101 at taken
"""

import os

from psycopg_pool import NullConnectionPool


def ask(pool: NullConnectionPool) -> None:
    print(pool.getconn().execute("select 1").fetchone())  # mark: taken


with NullConnectionPool(os.environ["DSN"], max_size=2, open=True) as pool:
    ask(pool)
