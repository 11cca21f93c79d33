"""A main thread that sleeps with a connection in its hands, and handles SIGUSR1; it ends at a line on stdin."""

from __future__ import annotations

import os
import select
import signal
import sys

from psycopg_pool import ConnectionPool


class Desk:
    """Something of the program's that keeps a pool and a connection."""

    def __init__(self) -> None:
        self.pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, max_size=2, num_workers=1, name="desk")
        self.conn = self.pool.getconn()


def noted(number: int, frame: object) -> None:
    notes.append(number)


def main() -> None:
    desk = Desk()
    desk.conn.execute("create temporary table t (n int)")
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    select.select([0], [], [])  # mark: stands
    desk.conn.rollback()
    desk.pool.putconn(desk.conn)
    desk.pool.close()
    sys.stdout.write(f"ENDED {notes}\n")


notes: list[int] = []
if sys.argv[1:] == ["handles"]:
    signal.signal(signal.SIGUSR1, noted)
main()
