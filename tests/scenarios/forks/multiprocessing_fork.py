"""A process that multiprocessing forks, and that uses the pool of the module as if it were its own.

expect: PW401 at used
"""

import multiprocessing
import os

from psycopg_pool import ConnectionPool


def work() -> None:
    with pool.connection() as conn:  # mark: used
        print("child", conn.execute("select 1").fetchone(), flush=True)


if __name__ == "__main__":
    with ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1) as pool:
        pool.wait()
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join()
        print("parent", process.exitcode)
