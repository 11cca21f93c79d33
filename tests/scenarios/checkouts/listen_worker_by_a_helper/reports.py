"""Holds a connection for longer than it needs to, by the same helper."""

import time

import shopdb  # type: ignore[import-not-found]  # beside it


def report() -> None:
    with shopdb.connection() as conn:
        print(conn.execute("select 'report'").fetchone())
        time.sleep(1.0)
