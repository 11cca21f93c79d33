"""Twelve pools of one line for twelve tenants of one database, all left open.

On Python 3.13 its exit takes two minutes.

only: python!=3.13.*
expect: PW007 at made
expect: 12 x PW001 at made
expect: 12 x PW003 at made  [python>=3.14, pool>=3.2]
"""

import os

from psycopg_pool import ConnectionPool

pools: dict[str, ConnectionPool] = {}


def pool_of(tenant: str) -> ConnectionPool:
    if tenant not in pools:
        pools[tenant] = ConnectionPool(  # mark: made
            os.environ["DSN"], open=True, min_size=0, max_size=2, num_workers=1, name=tenant
        )
    return pools[tenant]


for number in range(12):
    pool_of(f"tenant {number}")
with pool_of("tenant 7").connection() as conn:
    print(len(pools), conn.execute("select 'one of them'").fetchone())
