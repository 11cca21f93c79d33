"""Nothing on stdout, no signal handler, and no thread of ours before a sync pool opens."""

from __future__ import annotations

import pytest

from tests.support.programs import ON, both, environment, run, same


@pytest.mark.matrix
def test_nothing_is_installed_that_the_program_did_not_ask_for(dsn: str) -> None:
    program = """
        import asyncio, os, signal, sys, threading
        def hooks():
            numbers = sorted(signal.valid_signals())
            return [signal.getsignal(number) for number in numbers], sys.excepthook, threading.excepthook, sys.unraisablehook
        def threads():
            return sorted(thread.name for thread in threading.enumerate()), all(
                thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
        before = hooks()
        from psycopg_pool import AsyncConnectionPool, ConnectionPool
        print(threads())
        pool = ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1, name="sync")
        print(threads())
        async def main():
            async with AsyncConnectionPool(os.environ["DSN"], open=False, min_size=1) as apool:
                async with apool.connection() as conn:
                    await conn.execute("select 1")
                print(threads())
        asyncio.run(main())
        print(hooks() == before)
        with pool:
            print(threads()[1])
        print(hooks() == before)
    """
    with_agent, without = both(program, dsn)
    same(with_agent, without)


def test_the_sweeper_is_a_daemon_and_ends_before_the_interpreter(dsn: str) -> None:
    program = """
        import atexit, os, threading
        def names():
            return [(thread.name, thread.daemon) for thread in threading.enumerate() if "poolwitness" in thread.name]
        from psycopg_pool import ConnectionPool
        with ConnectionPool(os.environ["DSN"], open=False, min_size=1) as pool:
            print(names())
        class Late:
            def __del__(self, names=names, print=print):
                print(names())
        late = Late()
    """
    ran = run(program, environment(DSN=dsn, **ON))
    assert ran.stdout == b"[('poolwitness-sweeper', True)]\n[]\n"
