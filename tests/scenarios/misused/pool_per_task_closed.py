"""Ten pools at once, one a task, each closed by its with block: too many, but none left.

expect: PW007 at made
"""

import os
from contextlib import ExitStack

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]

with ExitStack() as stack:
    pools = []
    for number in range(10):
        pool = ConnectionPool(DSN, open=False, min_size=0, max_size=1, num_workers=1)  # mark: made
        pools.append(stack.enter_context(pool))
    with pools[7].connection() as conn:
        print(len(pools), conn.execute("select 'one of them'").fetchone())
