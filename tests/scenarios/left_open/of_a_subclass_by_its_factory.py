"""A subclass with a factory and a method that makes another pool of its kind: methods, not constructors.

expect: PW001 at from_environ
expect: PW001 at sibling
"""

from __future__ import annotations

import os

from psycopg_pool import ConnectionPool


class ShopPool(ConnectionPool):
    @classmethod
    def from_environ(cls) -> ShopPool:
        return cls(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: from_environ

    def sibling(self) -> ShopPool:
        return ShopPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: sibling


orders = ShopPool.from_environ()
stock = orders.sibling()
for pool in orders, stock:
    with pool.connection() as conn:
        print(conn.execute("select 1").fetchone())
