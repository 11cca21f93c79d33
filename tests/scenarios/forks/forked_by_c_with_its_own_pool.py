"""The same fork with a pool before it that the child does not touch, and one in the child that it closes.

expect: clean
"""

import atexit
import ctypes
import os

from psycopg_pool import ConnectionPool


def ask(who: str, pool: ConnectionPool) -> None:
    with pool.connection() as conn:
        print(who, conn.execute("select 1").fetchone(), flush=True)


DSN = os.environ["DSN"]
parents = ConnectionPool(DSN, open=True, min_size=1, num_workers=1)
ask("parent", parents)
child = ctypes.PyDLL(None).fork()
if child == 0:
    with ConnectionPool(DSN, open=False, min_size=1, num_workers=1) as own:
        ask("child", own)
    atexit._run_exitfuncs()
    os._exit(0)
_, status = os.waitpid(child, 0)
ask("parent", parents)
parents.close()
