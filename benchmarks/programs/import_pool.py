"""Prints the CPU and the wall milliseconds of ``import psycopg_pool``, and of the modules that the arguments name."""

import sys
import time

wall, cpu = time.perf_counter_ns(), time.process_time_ns()
import psycopg_pool  # noqa: E402, F401 - what is measured

for name in sys.argv[1:]:
    __import__(name)
print((time.process_time_ns() - cpu) / 1e6, (time.perf_counter_ns() - wall) / 1e6)
