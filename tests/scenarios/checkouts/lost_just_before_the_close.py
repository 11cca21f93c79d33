"""The last connection is lost, the pool closed and then gone as well, all before anybody looks again.

expect: PW101 at taken
"""

import os

from psycopg_pool import ConnectionPool


def count(pool: ConnectionPool) -> None:
    conn = pool.getconn()  # mark: taken
    print(conn.execute("select 1").fetchone())


def main() -> None:
    with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
        count(pool)


main()
print("done")
