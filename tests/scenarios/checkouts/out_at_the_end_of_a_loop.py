"""An async connection sits in an object when the program ends.

expect: PW102 at taken
"""

import asyncio
import os
from typing import Any

from psycopg_pool import AsyncConnectionPool


class Stock:
    conn: Any = None


stock = Stock()


async def main() -> None:
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=False) as pool:
        stock.conn = await pool.getconn()  # mark: taken
        print(await (await stock.conn.execute("select 1")).fetchone())


asyncio.run(main())
