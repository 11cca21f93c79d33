"""Two threads that open the same pool, with releases in which that may start it twice.

expect: PW501 at made  [pool>=3.2, pool<3.3.1]
"""

import os
import threading

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1)  # mark: made
opened = threading.Event()


def first() -> None:
    pool.open()
    opened.set()
    second.join()


def then() -> None:
    opened.wait()
    pool.open()


second = threading.Thread(target=then)
second.start()
threading.Thread(target=first).start()
second.join()

with pool.connection() as conn:
    print(conn.execute("select 'open'").fetchone())
pool.close()
