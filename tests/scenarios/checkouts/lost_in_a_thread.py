"""A thread takes a connection and ends; its local variable was the only reference.

expect: PW101 at taken
"""

import os
import threading

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True)


def work() -> None:
    conn = pool.getconn()  # mark: taken
    print(conn.execute("select 1").fetchone())


with pool:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
