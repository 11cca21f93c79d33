"""``python -m tools.soak --minutes 30``: a program without faults for a long time, under the agent.

Threads, tasks that are cancelled, a signal handler that raises, and pools that are created and closed all the time.
Right is: flat memory, no component of the agent failed, no finding, and a clean verdict.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import mean
from typing import Any

import psutil
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from tests.support.postgres import embedded_postgres

ROOT = Path(__file__).resolve().parent.parent
THREADS = 4
TASKS = 12
SAMPLE_S = 1.0
# What a program without the agent varies by as well: see --without.
MOST_BYTES = 2 * 1024 * 1024
MOST_OBJECTS = 3_000


class Limit(Exception):
    """What the signal handler raises."""


class Load:
    """One run, in this process."""

    def __init__(self, dsn: str, seconds: float) -> None:
        self.dsn = dsn
        self.end_mono = time.monotonic() + seconds
        self.done: Counter[str] = Counter()
        self.interruptible = False

    @property
    def over(self) -> bool:
        """Whether time is up."""
        return time.monotonic() >= self.end_mono

    def run(self) -> dict[str, Any]:
        """Work until time is up; what was done, and the samples."""
        signal.signal(signal.SIGALRM, self._on_alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        with ConnectionPool(self.dsn, min_size=3, max_size=6, open=True, name="shared") as pool:
            workers = [threading.Thread(target=self._in_a_thread, args=(pool,)) for _ in range(THREADS)]
            workers.append(threading.Thread(target=self._create_and_close))
            workers.append(threading.Thread(target=self._in_tasks))
            samples: list[dict[str, int]] = []
            for worker in workers:
                worker.start()
            while not self.over:
                with self._uninterrupted():
                    samples.append(_sample())
                next_mono = time.monotonic() + SAMPLE_S
                while time.monotonic() < next_mono:
                    self._interrupted(pool)
            signal.setitimer(signal.ITIMER_REAL, 0)
            for worker in workers:
                worker.join()
        return {"done": dict(self.done), "samples": samples, "failed": _failed_components()}

    def _on_alarm(self, *_: object) -> None:
        self.done["signals"] += 1
        if self.interruptible:
            self.interruptible = False
            raise Limit

    @contextmanager
    def _uninterrupted(self) -> Iterator[None]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})

    def _interrupted(self, pool: ConnectionPool) -> None:
        """A job with a limit: the handler raises in its own lines, never inside of psycopg, where it does harm."""
        try:
            with pool.connection(timeout=30) as conn:
                conn.execute("select 1")
                self.interruptible = True
                for _ in range(random.randrange(20_000)):
                    pass
                self.interruptible = False
            self.done["jobs"] += 1
        except Limit:
            self.done["limits"] += 1

    def _in_a_thread(self, pool: ConnectionPool) -> None:
        rand = random.Random()
        while not self.over:
            kind = rand.randrange(20)
            try:
                with pool.connection(timeout=30) as conn:
                    conn.execute("select 1").fetchone()
                    if kind == 0:
                        time.sleep(rand.random() / 20)
                    elif kind == 1:
                        raise LookupError("a job that fails")
            except LookupError:
                self.done["failed jobs"] += 1
            self.done["checkouts"] += 1

    def _create_and_close(self) -> None:
        while not self.over:
            with ConnectionPool(self.dsn, min_size=1, max_size=2, num_workers=1, open=False) as pool:
                with pool.connection() as conn:
                    conn.execute("select 1")
            self.done["pools"] += 1
            time.sleep(0.02)

    def _in_tasks(self) -> None:
        while not self.over:
            asyncio.run(self._one_loop())
            self.done["loops"] += 1

    async def _one_loop(self) -> None:
        until_mono = min(self.end_mono, time.monotonic() + 3.0)
        async with AsyncConnectionPool(self.dsn, min_size=2, max_size=4, num_workers=1, open=False) as pool:
            tasks: dict[asyncio.Task[None], list[str]] = {}
            while time.monotonic() < until_mono:
                while len(tasks) < TASKS:
                    state = ["cancellable"]
                    tasks[asyncio.create_task(self._one_task(pool, state))] = state
                await asyncio.sleep(0.005)
                for task, state in list(tasks.items()):
                    if task.done():
                        del tasks[task]
                    elif state[0] == "cancellable" and random.random() < 0.3:
                        # Once: a second one interrupts the rollback, which breaks the connection.
                        state[0] = "cancelled"
                        task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # What the program itself can know of its pool: then a finding about it is true.
            for _ in range(50):
                if len(pool._pool) == pool._nconns:
                    break
                await asyncio.sleep(0.02)
            else:
                self.done["slots lost by the pool"] += pool._nconns - len(pool._pool)

    async def _one_task(self, pool: AsyncConnectionPool[Any], state: list[str]) -> None:
        try:
            async with pool.connection(timeout=30) as conn:
                await conn.execute("select 1")
                await asyncio.sleep(random.random() / 50)
                state[0] = "returning"
            self.done["tasks"] += 1
        except asyncio.CancelledError:
            self.done["cancelled tasks"] += 1


def _sample() -> dict[str, int]:
    process = psutil.Process()
    gc.collect()
    return {
        "memory": process.memory_info().rss,
        "objects": len(gc.get_objects()),
        "descriptors": process.num_fds(),
        "threads": process.num_threads(),
    }


def _failed_components() -> list[str]:
    agent = sys.modules.get("poolwitness.agent")
    if agent is None:
        return []
    return [f"{guard.name}: {guard.failure}" for guard in agent.current().guards if not guard.enabled]


def growth(samples: list[dict[str, int]], name: str) -> float:
    """By how much the last third lies above the second one, on average; the first one is the warm-up."""
    third = len(samples) // 3
    values = [sample[name] for sample in samples]
    return mean(values[2 * third :]) - mean(values[third : 2 * third])


def run(dsn: str, minutes: float, active: bool) -> tuple[dict[str, Any], list[str]]:
    """One run in a process of its own; its result, and a sentence for each thing that is wrong."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("POOLWITNESS", "PYTHON"))}
    with tempfile.TemporaryDirectory(prefix="pwsoak") as folder:
        log = Path(folder, "pw.jsonl")
        if active:
            environ |= {"POOLWITNESS": "1", "POOLWITNESS_OUTPUT": f"file:{log}", "POOLWITNESS_SWEEP_S": "0.5"}
        words = [sys.executable, "-m", "tools.soak", "--load", "--minutes", str(minutes), "--dsn", dsn]
        done = subprocess.run(words, cwd=ROOT, env=environ, stdout=subprocess.PIPE, timeout=minutes * 60 + 120)
        wrong = [f"status {done.returncode}"] if done.returncode else []
        result = json.loads(done.stdout)
        events = [json.loads(line) for line in log.read_text().splitlines()] if active else []
    wrong += result["failed"]
    wrong += [event["message"] for event in events if event["event"].endswith((".finding", "disabled", "failed"))]
    if active and [event["poolwitness.verdict"] for event in events if event["event"].endswith(".verdict")] != [
        "clean"
    ]:
        wrong.append("no clean verdict")
    if growth(result["samples"], "memory") > MOST_BYTES:
        wrong.append("memory grows")
    if growth(result["samples"], "objects") > MOST_OBJECTS:
        wrong.append("the number of objects grows")
    return result, wrong


def main() -> int:
    """Run, and write what was done; 1 where something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tools.soak")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (%(default)s)")
    parser.add_argument("--without", action="store_true", help="without the agent, to compare with")
    parser.add_argument("--dsn", default=os.environ.get("POOLWITNESS_TEST_DSN"), help=argparse.SUPPRESS)
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        sys.stdout.write(json.dumps(Load(arguments.dsn, arguments.minutes * 60).run()) + "\n")
        return 0
    with nullcontext(arguments.dsn) if arguments.dsn else embedded_postgres() as dsn:
        result, wrong = run(dsn, arguments.minutes, not arguments.without)
    samples = result["samples"]
    print(", ".join(f"{count:,} {name}" for name, count in sorted(result["done"].items())))
    for name in ("memory", "objects", "descriptors", "threads"):
        third = len(samples) // 3
        print(f"{name}: {samples[0][name]:,}, then {samples[third][name]:,}, at the end {samples[-1][name]:,}", end="")
        print(f"; last third over second {growth(samples, name):+,.0f}")
    print("\n".join(wrong) or "nothing is wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
