"""Nine pools of one line: a choice, not yet a crowd.

expect: clean
"""

import os
from contextlib import ExitStack

from psycopg_pool import ConnectionPool

with ExitStack() as stack:
    for _ in range(9):
        made = ConnectionPool(os.environ["DSN"], open=False, min_size=0, max_size=1, num_workers=1)
        pool = stack.enter_context(made)
    with pool.connection() as conn:
        print(conn.execute("select 'the last of them'").fetchone())
