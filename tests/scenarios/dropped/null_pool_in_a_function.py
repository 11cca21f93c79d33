"""A null pool made for one query and dropped.

expect: PW002 at made
"""

import os

from psycopg_pool import NullConnectionPool


def server_version() -> bool:
    pool = NullConnectionPool(os.environ["DSN"], open=True, max_size=1, num_workers=1)  # mark: made
    with pool.connection() as conn:
        return conn.info.server_version > 90000


print(server_version())
