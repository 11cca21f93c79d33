"""Prints the CPU and the wall milliseconds of making the first pool, which is not opened, after the import."""

import time

import psycopg_pool

wall, cpu = time.perf_counter_ns(), time.process_time_ns()
psycopg_pool.ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1)
print((time.process_time_ns() - cpu) / 1e6, (time.perf_counter_ns() - wall) / 1e6)
