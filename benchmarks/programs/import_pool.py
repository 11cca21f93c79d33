"""Prints the CPU and the wall milliseconds of ``import psycopg_pool``."""

import time

wall, cpu = time.perf_counter_ns(), time.process_time_ns()
import psycopg_pool  # noqa: E402, F401 - what is measured

print((time.process_time_ns() - cpu) / 1e6, (time.perf_counter_ns() - wall) / 1e6)
