"""A last record written from an atexit callback, with a pool of its own, which Python 3.12.0 to 3.12.2
cannot start.

expect: PW501 at made  [python>=3.12, python<3.12.3]
"""

import atexit
import os

from psycopg_pool import ConnectionPool


@atexit.register
def last_record() -> None:
    with ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:  # mark: made
        with pool.connection() as conn:
            print(conn.execute("select 'last record'").fetchone())


print("at work")
