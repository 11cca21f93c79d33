"""A report that was given last year's password."""

import os

from psycopg_pool import ConnectionPool


def report(pool: ConnectionPool) -> None:
    with pool.connection(timeout=3) as conn:
        conn.execute("select 1").fetchone()


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=4, name="reports", open=True) as pool:
    report(pool)
