"""Two pools are used in turn, by threads and by the main thread.

expect: clean
"""

import os
import threading

from psycopg_pool import ConnectionPool

with ConnectionPool(os.environ["DSN"], min_size=1, max_size=4, name="read", open=True) as read:
    with ConnectionPool(os.environ["DSN"], min_size=1, max_size=4, name="write", open=True) as write:

        def work() -> None:
            for number in range(20):
                with (read, write)[number % 2].connection() as conn:
                    conn.execute("select 1")

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        work()
        for thread in threads:
            thread.join()
print("done")
