"""A subclass from a module of its own: the line to open makes the object, and here the exit is held up.

expect: PW001 at made
expect: PW003 at made  [python>=3.13, pool>=3.2]
"""

import os

from small_pools import NamedPool  # type: ignore[import-not-found]  # lies beside this file

pool = NamedPool(os.environ["DSN"], "stock")  # mark: made
with pool.connection() as conn:
    print(pool.label, conn.execute("select 1").fetchone())
