"""A program that stops at every step of its black box's code and reads it as if it had been killed there.

Prints how many different contents it has read, and what was wrong with any; the database is in DSN.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import sys
from types import FrameType
from typing import Any

from psycopg_pool import ConnectionPool, PoolTimeout

from poolwitness import agent
from poolwitness.blackbox import format as layout
from poolwitness.blackbox import reader
from poolwitness.blackbox import recorder as box
from poolwitness.blackbox.archive import Archive
from poolwitness.blackbox.errors import Refused

FOLDER = os.path.dirname(box.__file__) + os.sep
# Those that write; of the others each call is looked at.
WRITING = ("holding.py", "mapping.py", "writer.py")
# The beginning of each table: more than this program fills.
LOOKED_AT = 32 * 1024


class Stepper:
    """Reads the mapping whenever it has changed between two instructions of the code that writes it."""

    def __init__(self) -> None:
        self.contents = 0
        self.wrong: list[str] = []
        # The pools and the connections of which the program has been told.
        self.pools: set[str] = set()
        self.out: set[str] = set()
        self._last = b""

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        name = os.path.basename(frame.f_code.co_filename)
        self._look(f"{name}:{frame.f_lineno}")
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return self if name in WRITING else None

    def _look(self, where: str) -> None:
        black_box = agent.current().blackbox
        writer = black_box._writer if black_box is not None else None
        if writer is None:
            return
        tables = (layout.HOLDERS, layout.FRAMES, layout.STACKS, layout.CELLS)
        beginnings = b"".join(writer.map[at : at + LOOKED_AT] for at in (0, *(table.offset for table in tables)))
        if beginnings == self._last:
            return
        self._last = beginnings
        self.contents += 1
        content = writer.map[: layout.SIZE]
        try:
            remains = reader.remains_of(Archive(content, len(content)), "box")
        except Refused as refused:
            self.wrong.append(f"{where}: it {refused}")
            return
        pools = {pool.info.name for pool in remains.snapshot.pools if pool.life.state == "open"}
        out = {pool.info.name for pool in remains.snapshot.pools for _ in pool.checkouts}
        if missing := (self.pools - pools) | (self.out - out):
            self.wrong.append(f"{where}: {missing} is missing")


def main() -> None:
    """Do everything once that is written down, and some of it twice."""
    logging.disable(logging.CRITICAL)
    dsn = os.environ["DSN"]
    stepper = Stepper()
    pools: list[ConnectionPool[Any]] = []
    # Its first document makes the file, which is read from its magic on.
    pools.append(ConnectionPool(dsn, min_size=1, name="zero", open=True))
    stepper.pools.add("zero")
    sys.settrace(stepper)
    for name in ("one", "two"):
        pools.append(ConnectionPool(dsn, min_size=2, max_size=2, name=name, open=True))
        stepper.pools.add(name)
        pools[-1].wait()
    zero, one, two = pools
    kept = two.getconn()
    stepper.out.add("two")
    for _ in range(2):
        first, second = one.getconn(), one.getconn()
        stepper.out.add("one")
        with contextlib.suppress(PoolTimeout):
            one.getconn(timeout=0.05)
        one.putconn(second)
        agent.current().sweep.sweep()
        stepper.out.discard("one")
        one.putconn(first)
        del first, second
    lost = one.getconn()
    del lost
    gc.collect()
    agent.current().sweep.sweep()
    stepper.pools.discard("one")
    one.close()
    stepper.pools.discard("zero")
    del zero
    pools.clear()
    del one
    gc.collect()
    agent.current().sweep.sweep()
    sys.settrace(None)
    two.putconn(kept)
    two.close()
    os.write(1, json.dumps({"contents": stepper.contents, "wrong": stepper.wrong}).encode() + b"\n")


if __name__ == "__main__":
    main()
