"""A shop that asks another service for a price while it has a connection in hand."""

import os
import threading
import time

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DSN"], min_size=2, timeout=1.5, name="shop", open=False)


def ask_carrier(weight: int) -> float:
    time.sleep(4)  # somebody else's service, on a bad day
    return 4.9 + weight


def ship(order: int) -> None:
    with pool.connection() as conn:
        row = conn.execute("select %s::int %% 7", (order,)).fetchone()
        price = ask_carrier(row[0] if row else 0)
        conn.execute("select %s::float", (price,))


def show_stock() -> None:
    with pool.connection() as conn:
        conn.execute("select 42").fetchone()


with pool:
    pool.wait()
    clerks = [threading.Thread(target=ship, args=(order,), name=f"clerk-{order}") for order in (1, 2)]
    for clerk in clerks:
        clerk.start()
    while pool.get_stats()["pool_available"]:
        time.sleep(0.01)
    try:
        show_stock()
    finally:
        for clerk in clerks:
            clerk.join()
