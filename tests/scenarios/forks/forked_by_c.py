"""A fork that Python does not see, as uWSGI's: no hook is run, and the child takes what it took before.

expect: PW401 at used
"""

import ctypes
import os

from psycopg_pool import ConnectionPool


def ask(who: str) -> None:
    with pool.connection() as conn:  # mark: used
        print(who, conn.execute("select 1").fetchone(), flush=True)


pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
ask("parent")
child = ctypes.PyDLL(None).fork()
if child == 0:
    ask("child")
    os._exit(0)
_, status = os.waitpid(child, 0)
ask("parent")
pool.close()
