"""One run in a process of its own: ``python -m tools.stress.load threads|tasks SECONDS DSN`` prints a JSON object."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil
from psycopg_pool import AsyncConnectionPool, ConnectionPool

THREADS = 32
TASKS = 200
CONNECTIONS = 16
LOOK_S = 0.05


@dataclass
class Result:
    """What a run did; ``troubles`` has a sentence for each thing that must not be."""

    mode: str
    seconds: float = 0.0
    cycles: int = 0
    looks: int = 0
    # at even distances over the run
    memory_bytes: list[int] = field(default_factory=list)
    allocated_blocks: list[int] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


class Load:
    """Who has which connection, as the program itself knows it, and how much memory it takes."""

    def __init__(self, mode: str, seconds: float) -> None:
        self.result = Result(mode)
        self.duration_s = seconds
        self.started_mono = time.monotonic()
        self.over = False
        self.in_use: dict[int, object] = {}
        self.process = psutil.Process(os.getpid())

    def taken(self, conn: object) -> None:
        """A connection was given out: to nobody else at the same time."""
        if self.in_use.setdefault(id(conn), conn) is not conn:
            self.result.troubles.append("a connection was given out twice")

    def look(self) -> None:
        """Sample the memory, and see whether time is up."""
        self.result.looks += 1
        self.result.memory_bytes.append(self.process.memory_info().rss)
        self.result.allocated_blocks.append(sys.getallocatedblocks())
        agent = _agent()
        if agent is not None:
            for entry in agent.ledger.entries():
                if len(entry.out) > CONNECTIONS:
                    self.result.troubles.append(f"the ledger has {len(entry.out)} of {CONNECTIONS} out")
        self.over = time.monotonic() - self.started_mono >= self.duration_s

    def finish(self, pool: Any) -> None:
        """Compare what the program, the pool and the ledger counted."""
        result = self.result
        result.seconds = time.monotonic() - self.started_mono
        served = pool.get_stats()["requests_num"]
        if served != result.cycles:
            result.troubles.append(f"the pool served {served} requests of {result.cycles}")
        agent = _agent()
        if agent is None:
            return
        entry = agent.ledger.find(pool)
        if entry is None:
            result.troubles.append("the ledger does not know the pool")
            return
        agent.ledger.drain()
        if entry.out or entry.lost or len(entry.slots) != CONNECTIONS:
            counts = f"{len(entry.out)} out, {len(entry.lost)} lost, {len(entry.slots)} known"
            result.troubles.append(f"the ledger ends with {counts}")
        result.troubles += [
            f"the part {part.name} failed: {part.failure}" for part in agent.parts.values() if not part.enabled
        ]


def _agent() -> Any:
    module = sys.modules.get("poolwitness.agent")
    return module.current() if module is not None else None


def with_threads(load: Load, dsn: str) -> None:
    """Each thread takes, returns, and takes again."""
    counts: list[int] = []

    def work() -> None:
        cycles = 0
        while not load.over:
            conn = pool.getconn(60)
            load.taken(conn)
            del load.in_use[id(conn)]
            pool.putconn(conn)
            cycles += 1
        counts.append(cycles)

    with ConnectionPool(dsn, min_size=CONNECTIONS, open=True) as pool:
        pool.wait()
        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        while not load.over:
            time.sleep(LOOK_S)
            load.look()
        for thread in threads:
            thread.join()
        load.result.cycles = sum(counts)
        load.finish(pool)


async def with_tasks(load: Load, dsn: str) -> None:
    """Each task takes, returns, and takes again."""

    async def work() -> int:
        cycles = 0
        while not load.over:
            conn = await pool.getconn(60)
            load.taken(conn)
            await asyncio.sleep(0)
            del load.in_use[id(conn)]
            await pool.putconn(conn)
            cycles += 1
        return cycles

    async with AsyncConnectionPool(dsn, min_size=CONNECTIONS, open=False) as pool:
        await pool.wait()
        tasks = [asyncio.create_task(work()) for _ in range(TASKS)]
        while not load.over:
            await asyncio.sleep(LOOK_S)
            load.look()
        load.result.cycles = sum(await asyncio.gather(*tasks))
        load.finish(pool)


def main() -> None:
    """Run, and print the result."""
    mode, seconds, dsn = sys.argv[1:]
    gc.freeze()
    load = Load(mode, float(seconds))
    if mode == "threads":
        with_threads(load, dsn)
    else:
        asyncio.run(with_tasks(load, dsn))
    sys.stdout.write(json.dumps(asdict(load.result)) + "\n")


if __name__ == "__main__":
    main()
