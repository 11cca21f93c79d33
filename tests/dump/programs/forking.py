"""A process and its forked child, each with a pool of its own; the child outlives its parent until stdin ends."""

from __future__ import annotations

import ctypes
import os
import sys
import time

from psycopg_pool import ConnectionPool

parents = ConnectionPool(os.environ["DSN"], open=True, min_size=0, max_size=1, num_workers=1, name="the parent's")
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
