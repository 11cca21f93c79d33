"""A query with a mistake in it ends the program: the exception comes from the server, through the pool.

status: 1
expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os

from psycopg_pool import ConnectionPool


def main() -> None:
    pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
    with pool.connection() as conn:
        conn.execute("select nothing from nowhere")
    pool.close()


if __name__ == "__main__":
    main()
