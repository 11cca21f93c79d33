"""A process and its forked child, each with a pool of its own; the child outlives its parent until stdin ends."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

from psycopg_pool import ConnectionPool

parents = ConnectionPool(os.environ["DSN"], open=True, min_size=0, max_size=1, num_workers=1, name="the parent's")


def let_threads_stand_still() -> None:
    """A child that Python is not told of waits for ever for threads that were waiting for the interpreter just then."""
    before: list[str] = []
    while (now := switches()) != before:
        before = now
        time.sleep(0.1)


def switches() -> list[str]:
    """How often each thread of the process but this one has given up a processor."""
    tasks = [task for task in Path("/proc/self/task").iterdir() if task.name != str(os.getpid())]
    return [(task / "status").read_text().partition("voluntary_ctxt_switches:")[2] for task in tasks]


if sys.argv[1:] == ["by C"]:
    let_threads_stand_still()
child = os.fork() if sys.argv[1:] != ["by C"] else ctypes.PyDLL(None).fork()
if child == 0:
    with ConnectionPool(os.environ["DSN"], open=True, min_size=0, max_size=1, num_workers=1, name="the child's"):
        sys.stdout.write(f"READY {os.getpid()} {os.getppid()}\n")
        sys.stdout.flush()
        while os.read(0, 100):
            sys.stdout.write(",".join(os.listdir("/proc/self/fd")) + "\n")
            sys.stdout.flush()
    os._exit(0)
time.sleep(600)
