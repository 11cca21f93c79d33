"""Two packages with the same module, copied from one to the other: each pool is its own module's.

order: any
expect: PW001 at shop
expect: PW001 at stock
expect: PW003 at shop  [python>=3.13, pool>=3.2]
expect: PW003 at stock  [python>=3.13, pool>=3.2]
"""

from shop.db import get_pool as get_shop_pool  # type: ignore[import-not-found]  # lies beside this file
from stock.db import get_pool as get_stock_pool  # type: ignore[import-not-found]  # lies beside this file

for get_pool in get_shop_pool, get_stock_pool:
    with get_pool().connection() as conn:
        print(conn.execute("select 1").fetchone())
