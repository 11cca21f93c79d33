"""A program that joins every thread it can see before it ends.

expect: clean
"""

import os
import threading

from psycopg_pool import ConnectionPool


def work(number: int) -> None:
    with pool.connection() as conn:
        conn.execute("select %s::int", (number,))


with ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
    for number in range(4):
        threading.Thread(target=work, args=(number,)).start()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    print("workers are done")

for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
print("alone:", threading.active_count())
