"""check= on every checkout, with a release in which a cancelled check loses the connection.

only: pool>=3.2
expect: PW501 at made  [pool>=3.2, pool<3.2.8]
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool


async def main() -> None:
    async with AsyncConnectionPool(  # mark: made
        os.environ["DSN"], open=False, min_size=1, check=AsyncConnectionPool.check_connection
    ) as pool:
        async with pool.connection() as conn:
            print(await (await conn.execute("select 'checked'")).fetchone())


asyncio.run(main())
