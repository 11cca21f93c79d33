"""A pool for each request: each is thrown away with its answer.

expect: 5 x PW002 at made
"""

import os

from psycopg_pool import ConnectionPool


def handle(request: int) -> str:
    pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
    with pool.connection() as conn:
        row = conn.execute("select 'answer ' || %s::text", (request,)).fetchone()
        return str(row[0]) if row else ""


for request in range(5):
    print(handle(request))
