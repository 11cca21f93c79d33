"""A pool before the fork, none in the child: who is asked there, and has no thread, answers all the same."""

from __future__ import annotations

import ctypes
import os
import sys
import time

from psycopg_pool import ConnectionPool

fork = os.fork if sys.argv[1:] != ["by C"] else ctypes.PyDLL(None).fork

parents = ConnectionPool(os.environ["DSN"], open=True, min_size=0, max_size=1, num_workers=1, name="the parent's")
if fork() == 0:
    sys.stdout.write(f"READY {os.getpid()}\n")
    sys.stdout.flush()
    while os.read(0, 100) != b"go on\n":
        pass
    sys.stdout.write("ENDED\n")
    sys.stdout.flush()
    os._exit(0)
time.sleep(600)
