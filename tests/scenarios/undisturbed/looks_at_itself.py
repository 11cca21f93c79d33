"""A program that inspects the pool classes, the signals and the collector's hooks: all as they were.

expect: clean
"""

import gc
import inspect
import os
import signal
import sys

import psycopg_pool

for cls in (
    psycopg_pool.ConnectionPool,
    psycopg_pool.NullConnectionPool,
    psycopg_pool.AsyncConnectionPool,
    psycopg_pool.AsyncNullConnectionPool,
):
    print(cls.__qualname__, cls.__module__, inspect.signature(cls), [base.__name__ for base in cls.__mro__])
    for name, member in inspect.getmembers(cls, callable):
        if name.startswith("__") and name not in ("__init__", "__enter__", "__aenter__", "__del__"):
            continue
        print(
            name,
            inspect.signature(member),
            inspect.iscoroutinefunction(member),
            bool(member.__doc__),
        )
        print(getattr(member, "__qualname__", None), getattr(member, "__module__", None), type(member).__name__)

with psycopg_pool.ConnectionPool(os.environ["DSN"], open=False, min_size=1, name="shop") as pool:
    print(repr(pool).partition(" at ")[0], sorted(vars(pool)), pool.connection.__name__)
    with pool.connection() as conn:
        conn.execute("select 1")

print([str(signal.getsignal(number)).partition(" at ")[0] for number in sorted(signal.valid_signals())])
print(
    gc.callbacks,
    gc.isenabled(),
    sys.gettrace(),
    sys.getprofile(),
    sys.getrecursionlimit(),
    sys.getswitchinterval(),
)
