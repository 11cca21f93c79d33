"""The same, but the child forgets to close what it has opened: its own fault, and not the parent's.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os
import sys

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1)  # mark: made
child = os.fork()
pool.open()
with pool.connection() as conn:
    conn.execute("select 1")
if child == 0:
    sys.exit(0)
_, status = os.waitpid(child, 0)
print("parent", status)
pool.close()
