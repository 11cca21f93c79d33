"""Two pools of a subclass that compare equal, which also makes them unhashable; one of them is closed.

The subclass is the program's own, so that its threads keep the module alive: see of_a_subclass.

expect: PW001 at second
"""

import os

from psycopg_pool import ConnectionPool


class TenantPool(ConnectionPool):
    tenant = "everyone"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TenantPool) and self.tenant == other.tenant


first = TenantPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
second = TenantPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)  # mark: second

for pool in first, second:
    with pool.connection() as conn:
        print(conn.execute("select 1").fetchone())
print(first == second)
first.close()
