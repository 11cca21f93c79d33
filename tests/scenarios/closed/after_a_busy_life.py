"""A pool used in all the ways that a pool offers: getconn and putconn, check, resize, statistics, threads.

expect: clean
"""

import os
from concurrent.futures import ThreadPoolExecutor

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], open=False, min_size=2, max_size=4, name="busy") as pool:
    pool.wait()

    def double(number: int) -> int:
        with pool.connection(timeout=20) as conn:
            row = conn.execute("select %s::int * 2", (number,)).fetchone()
            return int(row[0]) if row else 0

    with ThreadPoolExecutor(max_workers=8) as executor:
        print(sum(executor.map(double, range(100))))

    pool.resize(1, 2)
    pool.check()
    conn = pool.getconn()
    try:
        print(conn.execute("select 'by hand'").fetchone())
        conn.commit()
    finally:
        pool.putconn(conn)
    print(
        pool.name,
        pool.min_size,
        pool.max_size,
        pool.get_stats()["requests_num"],
        pool.pop_stats()["pool_min"],
    )
