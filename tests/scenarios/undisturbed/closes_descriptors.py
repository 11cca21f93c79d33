"""A daemon that closes every descriptor it did not open, and opens files that get the same numbers.

expect: PW005 at closed
"""

import os
import tempfile

os.closerange(3, 256)

from psycopg_pool import ConnectionPool, PoolClosed  # noqa: E402  # a daemon tidies up before it imports the rest

with tempfile.TemporaryDirectory() as folder:
    files = [open(os.path.join(folder, str(number)), "w+b", buffering=0) for number in range(8)]
    with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:  # mark: closed
        with pool.connection() as conn:
            print(conn.execute("select 'a daemon'").fetchone())
    os.closerange(files[-1].fileno() + 1, 256)
    more = [open(os.path.join(folder, "more" + str(number)), "w+b", buffering=0) for number in range(16)]
    try:
        pool.getconn()
    except PoolClosed as error:
        print(type(error).__name__)
    for file in files + more:
        file.write(b"its own bytes\n")
        file.seek(0)
        print(file.read())
        file.close()
