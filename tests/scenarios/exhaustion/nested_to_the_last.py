"""Two threads hold one connection each and ask for a second: none gets it.

expect: PW201 at held
"""

import os
import threading

from psycopg_pool import ConnectionPool, PoolTimeout

both = threading.Barrier(2)
gave_up = threading.Barrier(2)

with ConnectionPool(os.environ["DSN"], min_size=2, timeout=0.5, open=True) as pool:
    pool.wait()

    def order() -> None:
        with pool.connection(timeout=20) as conn:  # mark: held
            conn.execute("select 1")
            both.wait()
            try:
                with pool.connection() as other:
                    other.execute("select 2")
            except PoolTimeout as error:
                print(error)
            gave_up.wait()

    threads = [threading.Thread(target=order) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
