"""A shop that forgets to put connections back where a query finds nothing."""

import os
from concurrent.futures import ThreadPoolExecutor

from psycopg_pool import ConnectionPool


def price_of(pool: ConnectionPool, item: int) -> int:
    conn = pool.getconn()
    row = conn.execute("select %s::int where %s::int < 3", (item * 10, item)).fetchone()
    if row is None:
        return 0
    conn.commit()
    pool.putconn(conn)
    return int(row[0])


with ConnectionPool(os.environ["DSN"], min_size=3, timeout=1, name="prices", open=True) as pool:
    with ThreadPoolExecutor(1, thread_name_prefix="web") as web:
        for item in range(7):
            web.submit(price_of, pool, item).result()
