"""The demo's program, a small shop with a leak: it opens a pool and never closes it."""

from __future__ import annotations

import logging
import os

from psycopg_pool import ConnectionPool, PoolTimeout

# psycopg's own warnings name no line of the shop and would only obscure the report.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

pool = ConnectionPool(os.environ["DATABASE_URL"], min_size=1, max_size=4, num_workers=2, timeout=2, open=True)


def sold(item: int) -> int:
    """How many of an item went today."""
    with pool.connection() as conn:
        row = conn.execute("select %s::int * 7", (item,)).fetchone()
    return int(row[0]) if row else 0


def main() -> None:
    """Count the day's sales and go home."""
    try:
        print(f"shop: {sum(sold(item) for item in range(1, 4))} things sold today")
    except PoolTimeout:
        print("shop: the database does not answer, nothing sold today")
    print("shop: closing time", flush=True)


if __name__ == "__main__":
    main()
