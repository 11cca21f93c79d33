import os

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made


def ping() -> str:
    with pool.connection() as conn:
        row = conn.execute("select 'pong'").fetchone()
        return str(row[0]) if row else ""
