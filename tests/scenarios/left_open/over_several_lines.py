"""A constructor call as formatters write it: the line is the one where the call begins.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os

from psycopg_pool import ConnectionPool


def make_pool(
    name: str,
) -> ConnectionPool:
    return ConnectionPool(  # mark: made
        os.environ["DSN"],
        kwargs={
            "autocommit": True,
            "application_name": name,
        },
        min_size=1,
        num_workers=1,
        open=True,
    )


pool = make_pool("shop")
with pool.connection() as conn:
    print(conn.execute("show application_name").fetchone())
