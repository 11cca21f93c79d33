"""A dumper is registered on every connection that is taken.

expect: PW204 at registered
"""

import os

from psycopg.types.string import StrDumper
from psycopg_pool import ConnectionPool


class Name:
    def __init__(self, text: str) -> None:
        self.text = text


class NameDumper(StrDumper):
    def dump(self, obj: object) -> bytes:
        assert isinstance(obj, Name)
        return obj.text.encode()


with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True) as pool:
    for number in range(8):
        with pool.connection() as conn:
            conn.adapters.register_dumper(Name, NameDumper)  # mark: registered
            print(conn.execute("select %s", (Name(f"row {number}"),)).fetchone())
