"""A pool entered on an ExitStack that nobody closes.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os
from contextlib import ExitStack

from psycopg_pool import ConnectionPool

resources = ExitStack()


def setup() -> ConnectionPool:
    made = ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)  # mark: made
    return resources.enter_context(made)


pool = setup()
with pool.connection() as conn:
    print(conn.execute("select 'entered'").fetchone())
