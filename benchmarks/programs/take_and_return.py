"""Takes and returns a connection, again and again: one turn prints the microseconds of one cycle.

Arguments: a conninfo, how many frames deep, and beside what: ``nothing``, ``tracemalloc`` or
``opentelemetry``. Orders: ``bare`` takes and returns (thread CPU time); ``select`` also runs ``select 1``,
``fetch`` also fetches 1,000 rows (wall clock); ``stack`` calls ``traceback.extract_stack()`` instead (thread CPU time).
"""

import sys
import time
import traceback
from collections.abc import Callable

BARE_CYCLES = 2_000
SELECT_CYCLES = 100
FETCH_CYCLES = 10
STACK_CYCLES = 100
ROWS = "select number, 'row ' || number from generate_series(1, 1000) as number"


def deeper(frames: int, work: Callable[[], None]) -> None:
    """Do the work with that many more frames on the stack."""
    if frames > 0:
        deeper(frames - 1, work)
    else:
        work()


def watch_by(other: str) -> None:
    """Switch another observer on."""
    if other == "tracemalloc":
        import tracemalloc

        tracemalloc.start(25)
    elif other == "opentelemetry":
        from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

        class Drop(SpanExporter):
            """Takes what it is given, as the fastest backend would."""

            def export(self, spans: object) -> SpanExportResult:
                return SpanExportResult.SUCCESS

        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(Drop()))
        PsycopgInstrumentor().instrument(tracer_provider=provider, skip_dep_check=True)


def main() -> None:
    """Answer orders until there are no more."""
    conninfo, depth, other = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    watch_by(other)
    from psycopg_pool import ConnectionPool

    with ConnectionPool(conninfo, min_size=1, max_size=1, kwargs={"autocommit": True}, open=True) as pool:
        pool.wait()

        def bare() -> float:
            started = time.thread_time_ns()
            for _ in range(BARE_CYCLES):
                pool.putconn(pool.getconn())
            return (time.thread_time_ns() - started) / 1000 / BARE_CYCLES

        def query(sql: str, cycles: int) -> float:
            started = time.perf_counter_ns()
            for _ in range(cycles):
                conn = pool.getconn()
                conn.execute(sql).fetchall()
                pool.putconn(conn)
            return (time.perf_counter_ns() - started) / 1000 / cycles

        def stack() -> float:
            started = time.thread_time_ns()
            for _ in range(STACK_CYCLES):
                traceback.extract_stack()
            return (time.thread_time_ns() - started) / 1000 / STACK_CYCLES

        orders: dict[str, Callable[[], float]] = {
            "bare": bare,
            "select": lambda: query("select 1", SELECT_CYCLES),
            "fetch": lambda: query(ROWS, FETCH_CYCLES),
            "stack": stack,
        }

        def answer() -> None:
            for line in sys.stdin:
                print(orders[line.strip()](), flush=True)

        deeper(depth, answer)


if __name__ == "__main__":
    main()
