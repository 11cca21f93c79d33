"""A reconnect that replaces the pool with a new one and forgets to close the old.

expect: PW002 at made
"""

import os

from psycopg_pool import ConnectionPool


class Client:
    def __init__(self) -> None:
        self.connect()

    def connect(self) -> None:
        self.pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: made
        self.pool.wait()

    def ping(self) -> None:
        with self.pool.connection() as conn:
            print(conn.execute("select 'pong'").fetchone())


client = Client()
client.ping()
client.connect()
client.ping()
client.pool.close()
