"""Parent and child each make a pool after the fork; the parent closes its own, the child forgets it.

expect: PW001 at child
expect: PW003 at child  [python>=3.13, pool>=3.2]
"""

import os
import sys

from psycopg_pool import ConnectionPool

DSN = os.environ["DSN"]

child = os.fork()
if child == 0:
    pool = ConnectionPool(DSN, open=True, min_size=1, num_workers=1)  # mark: child
    with pool.connection() as conn:
        print(conn.execute("select 'child'").fetchone(), flush=True)
    sys.exit(5)

with ConnectionPool(DSN, open=False, min_size=1) as pool:
    _, status = os.waitpid(child, 0)
    with pool.connection() as conn:
        print(conn.execute("select 'parent'").fetchone(), os.WEXITSTATUS(status))
