"""atexit.register(pool.close), and a child that runs what its parent registered: no line of the program calls it.

expect: PW401 at made
"""

import atexit
import os
import sys

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
atexit.register(pool.close)
pool.wait()

child = os.fork()
if child == 0:
    sys.exit(4)
_, status = os.waitpid(child, 0)
print("parent", os.WEXITSTATUS(status))
