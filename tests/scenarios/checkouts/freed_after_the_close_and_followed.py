"""A connection is freed after its pool was closed; another pool is opened, and only then the first one is gone.

expect: PW102 at taken
"""

import os

from psycopg_pool import ConnectionPool


def main() -> None:
    pool = ConnectionPool(os.environ["DSN"], min_size=1, open=True)
    conn = pool.getconn()  # mark: taken
    print(conn.execute("select 1").fetchone())
    pool.close()
    del conn
    with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as other, other.connection() as second:
        print(second.execute("select 2").fetchone())


main()
print("done")
