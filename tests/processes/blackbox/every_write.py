"""A program that reads its black box after every write, as if it had been killed there.

Prints how many writes there were, and what was wrong after any; the database is in DSN.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

from psycopg_pool import ConnectionPool, PoolTimeout

from poolwitness import agent
from poolwitness.blackbox import file as black_box_file
from poolwitness.blackbox import reader
from poolwitness.blackbox.archive import Archive
from poolwitness.blackbox.documents import Refused
from poolwitness.blackbox.file import Write, write_function

PAGE = 4096


class Checker:
    """Reads the file after every write, and within those that the kernel may cut: at the end of a page."""

    def __init__(self) -> None:
        self.writes = self.cut = 0
        self.wrong: list[str] = []
        # The pools and the connections that the program knows of; None before its first pool is whole.
        self.pools: set[str] | None = None
        self.out: set[str] = set()

    def write_function(self, fd: int, failed: Callable[[OSError], None]) -> Write:
        """In the place of the file's own."""
        write = write_function(fd, failed)

        def checked(at: int, data: bytes) -> None:
            fits = PAGE - at % PAGE
            if fits < len(data):
                self.cut += 1
                write(at, data[:fits])
                self._check(f"{at}, cut after {fits}")
            write(at, data)
            self._check(str(at))

        return checked

    def _check(self, where: str) -> None:
        if self.pools is None:
            return
        self.writes += 1
        (path,) = Path(os.environ["POOLWITNESS_BLACKBOX"]).iterdir()
        content = path.read_bytes()
        try:
            left = reader.content_of(Archive(content, len(content)), str(path))
        except Refused as refused:
            self.wrong.append(f"{where}: it {refused}")
            return
        pools = {pool.info.name for pool in left.snapshot.pools if pool.life.state == "open"}
        out = {pool.info.name for pool in left.snapshot.pools for _ in pool.checkouts}
        if missing := (self.pools - pools) | (self.out - out):
            self.wrong.append(f"{where}: {missing} is missing")


def main() -> None:
    """Do everything once that is recorded, and some of it twice."""
    logging.disable(logging.CRITICAL)
    dsn = os.environ["DSN"]
    checker = Checker()
    black_box_file.write_function = checker.write_function
    pools = [ConnectionPool(dsn, min_size=1, name="zero", open=True)]
    checker.pools = {"zero"}
    for name in ("one", "two"):
        pools.append(ConnectionPool(dsn, min_size=2, max_size=2, name=name, open=True))
        checker.pools.add(name)
        pools[-1].wait()
    zero, one, two = pools
    kept = two.getconn()
    checker.out.add("two")
    for _ in range(2):
        first, second = one.getconn(), one.getconn()
        checker.out.add("one")
        with contextlib.suppress(PoolTimeout):
            one.getconn(timeout=0.05)
        one.putconn(second)
        agent.current().sweep.sweep()
        checker.out.discard("one")
        one.putconn(first)
        del first, second
    lost = one.getconn()
    del lost
    gc.collect()
    agent.current().sweep.sweep()
    checker.pools.discard("one")
    one.close()
    checker.pools.discard("zero")
    del zero
    pools.clear()
    del one
    gc.collect()
    agent.current().sweep.sweep()
    checker.pools = None
    two.putconn(kept)
    two.close()
    os.write(1, json.dumps({"writes": checker.writes, "wrong": checker.wrong}).encode() + b"\n")


if __name__ == "__main__":
    main()
