"""A connection is garbage-collected after its pool was closed: never returned, though no slot is lost.

expect: PW102 at taken
"""

import os

from psycopg_pool import ConnectionPool


def main() -> None:
    pool = ConnectionPool(os.environ["DSN"], min_size=1, open=True)
    conn = pool.getconn()  # mark: taken
    print(conn.execute("select 1").fetchone())
    pool.close()


main()
