"""SQLAlchemy asks an exhausted pool of psycopg: PoolTimeout comes through it.

only: pool>=3.3
expect: PW201 at held
"""

import os
from typing import Any

from psycopg_pool import ConnectionPool
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

dsn = os.environ["DSN"]
with ConnectionPool(dsn, min_size=1, timeout=0.5, close_returns=True, open=True) as pool:
    engine: Any = create_engine("postgresql+psycopg://", creator=pool.getconn, poolclass=NullPool)
    pool.wait()
    with engine.connect() as connection:
        print(connection.scalar(text("select 1")))
    with engine.connect() as connection:  # mark: held
        print(connection.scalar(text("select 2")))
        try:
            engine.connect()
        except OperationalError as error:
            print(type(error.orig).__name__, error.orig)
