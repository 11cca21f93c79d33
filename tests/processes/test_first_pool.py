"""What tells of pools is loaded with a program's first pool: by itself, once, all of it, and never in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.programs import Ran, environment, run

ON = {"POOLWITNESS": "1"}
NOT_OPENED = '"host=127.0.0.1 port=1", open=False, min_size=0, max_size=1'
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def both(program: str, *arguments: str, dsn: str = "", **variables: str) -> tuple[Ran, Ran]:
    """The program with the agent and without: what it printed and how it ended must be the same."""
    env = environment(DSN=dsn, PYTHONWARNINGS="ignore::DeprecationWarning")
    with_agent, without = run(program, {**env, **ON, **variables}, *arguments), run(program, env, *arguments)
    assert (with_agent.stdout, with_agent.status) == (without.stdout, without.status), with_agent.stderr
    return with_agent, without


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ["ConnectionPool", "NullConnectionPool", "AsyncConnectionPool"])
@pytest.mark.parametrize("level", ["exit", "watch", "trace"])
def test_the_first_pool_loads_modules_of_this_package_alone(kind: str, level: str) -> None:
    """A program may import any other at the same moment, and fork."""
    program = f"""
        import sys, psycopg_pool
        before = set(sys.modules)
        assert "poolwitness.telling" not in before
        psycopg_pool.{kind}({NOT_OPENED})
        more = set(sys.modules) - before
        assert "poolwitness.verdict" in more
        print(sorted(name for name in more if not name.startswith("poolwitness.")))
    """
    if kind == "NullConnectionPool":
        program = program.replace("min_size=0, ", "")
    ran = run(program, environment(**ON, POOLWITNESS_LEVEL=level))
    assert (ran.stdout, ran.status) == (b"[]\n", 0), ran.stderr


def test_without_a_pool_nothing_more_is_loaded_or_said() -> None:
    program = """
        import os, sys, threading, psycopg_pool
        before = set(sys.modules)
        sys.addaudithook(lambda event, args: os.write(1, f"{args[0]}\\n".encode()) if event == "import" else None)
        threading.Thread(target=print).start()
        if hasattr(os, "fork"):
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
        print("poolwitness.telling" in sys.modules)
    """
    with_agent, _ = both(program)
    assert with_agent.stderr == b""


EVERYTHING = """
    import asyncio, os, sys, threading, time
    import psycopg, psycopg_pool
    from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

    dsn = os.environ["DSN"]
    first = ConnectionPool(dsn, open=False, min_size=1, max_size=1, timeout=0.3, num_workers=1, name="first")
    out = int(sys.argv[2])
    sys.addaudithook(lambda event, args: os.write(out, args[0].encode() + b"\\n") if event == "import" else None)

    first.open()
    conn = first.getconn()
    try:
        first.getconn()  # PW201
    except PoolTimeout:
        print("refused")
    time.sleep(1.0)  # PW103
    conn.execute("create temporary table t (n int)")
    first.putconn(conn)  # PW104
    conn = first.getconn()
    conn.close()
    first.putconn(conn)  # PW105
    conn = first.getconn()
    del conn  # PW101

    failing = ConnectionPool("host=127.0.0.1 port=1 user=u password=secret", open=True, min_size=1, num_workers=1, name="failing")
    time.sleep(0.3)  # PW202

    async def main():
        pool = AsyncConnectionPool(dsn, open=False, min_size=1, num_workers=1, name="async")
        await pool.open()
        async with pool.connection() as conn:
            await conn.execute("select 1")
        await asyncio.sleep(0.3)

    asyncio.run(main())
    if "poolwitness" in sys.modules:
        import poolwitness
        poolwitness.snapshot(), poolwitness.findings()
    pid = os.fork()
    if pid == 0:
        try:
            first.getconn(timeout=0.1)  # PW401
        except PoolTimeout:
            pass
        os._exit(0)
    os.waitpid(pid, 0)
    if sys.argv[1] == "closed":
        first.close()
    failing.close()
    print("done")
"""


@pytest.mark.matrix
@needs_fork
@pytest.mark.parametrize("end", ["open", "closed"])
def test_after_the_first_pool_nothing_is_loaded_to_the_end(end: str, dsn: str, tmp_path: Path) -> None:
    imported = []
    for variables in ({}, {**ON, "POOLWITNESS_SWEEP_S": "0.1", "POOLWITNESS_HELD_S": "0.3"}):
        with open(tmp_path / "imported", "w+b") as file:
            env = environment(DSN=dsn, PYTHONWARNINGS="ignore", **variables)
            ran = run(EVERYTHING, env, end, str(file.fileno()), pass_fds=(file.fileno(),))
            file.seek(0)
            imported.append(set(file.read().split()))
        assert ran.stdout == b"refused\ndone\n", ran.stderr
    # What the program and psycopg import themselves they do without the agent too.
    assert imported[1] - imported[0] == set()
    assert {"PW103", "PW104", "PW105", "PW101", "PW201", "PW202", "PW401"} <= set(ran.rules)
    assert ran.verdict == "findings"


FORKED_MEANWHILE = """
    import os, signal, sys, threading
    from psycopg_pool import ConnectionPool

    fork = os.fork
    if sys.argv[1] == "c":
        import ctypes
        fork = ctypes.PyDLL(None).fork

    reached, go_on = threading.Event(), threading.Event()

    def slow(event, args):  # not a finder: that is called under a lock that fork waits for
        if event == "exec" and getattr(args[0], "co_filename", "").endswith("announcing.py") and not reached.is_set():
            reached.set()
            go_on.wait(30)

    def make():
        with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1, name="parents"):
            pass
        reached.set()

    sys.addaudithook(slow)
    thread = threading.Thread(target=make)
    thread.start()
    reached.wait(30)
    thread.join(0.5)  # without the agent it is over, and has no lock that a child whose hooks were not run would miss
    pid = fork()
    if pid == 0:
        signal.alarm(20)
        for name in ("childs", "another"):
            with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1, name=name) as pool:
                print(pool.name, pool.closed, flush=True)
        if sys.argv[1] == "c":
            os._exit(3)
        sys.exit(3)
    status = os.waitpid(pid, 0)[1]
    go_on.set()
    thread.join()
    with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1, name="after") as pool:
        print(status, pool.name)
"""


@pytest.mark.matrix
@needs_fork
@pytest.mark.parametrize("how", ["os", "c"])
def test_a_child_forked_in_the_middle_of_it_goes_on_without_the_agent(how: str) -> None:
    """Python has the lock of the module that was being imported held for ever in the child."""
    with_agent, _ = both(FORKED_MEANWHILE, how)
    assert with_agent.stdout == b"childs False\nanother False\n768 after\n"
    (failed,) = with_agent.named("poolwitness.agent.failed")
    (started,) = with_agent.named("poolwitness.agent.started")
    (verdict,) = with_agent.named("poolwitness.verdict")
    assert "was forked while another thread" in failed["message"]
    assert started["process.pid"] == verdict["process.pid"] != failed["process.pid"]
    assert {event["process.pid"] for event in with_agent.events if event is not failed} == {started["process.pid"]}
    assert (verdict["poolwitness.verdict"], verdict["poolwitness.pools_created"]) == ("clean", 2)


@needs_fork
def test_a_child_forked_in_the_middle_of_it_knows_nothing() -> None:
    asked = """signal.alarm(20)
        import poolwitness
        try:
            poolwitness.snapshot()
        except RuntimeError as error:
            print(error, flush=True)
        poolwitness.deactivate()
        os._exit(3)
"""
    ran = run(FORKED_MEANWHILE.replace("signal.alarm(20)\n", asked), environment(**ON), "os")
    assert ran.status == 0, ran.stderr
    assert ran.stdout.startswith(b"poolwitness is not active in this process")
    assert ran.stdout.endswith(b"\n768 after\n")
    assert len(ran.named("poolwitness.agent.failed")) == 1


@pytest.mark.matrix
def test_threads_that_make_their_first_pools_at_once_are_all_heard() -> None:
    program = """
        import sys, threading, time
        from psycopg_pool import ConnectionPool

        class Slow:
            def find_spec(self, name, path=None, target=None):
                if name == "poolwitness.runtime.lifecycle_events":
                    time.sleep(0.3)

        sys.meta_path.insert(0, Slow())
        start = threading.Barrier(8)

        def make(number):
            start.wait()
            with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1, num_workers=1, name=f"p{number}"):
                pass

        threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("done")
    """
    with_agent, _ = both(program)
    assert len(with_agent.named("poolwitness.agent.started")) == 1
    told = {event["db.client.connection.pool.name"] for event in with_agent.named("poolwitness.pool.opened")}
    assert told == {f"p{number}" for number in range(8)}
    (verdict,) = with_agent.named("poolwitness.verdict")
    assert (verdict["poolwitness.pools_created"], verdict["poolwitness.verdict"]) == (8, "clean")


def test_asked_before_there_is_a_pool() -> None:
    program = """
        import poolwitness, psycopg_pool
        print(poolwitness.snapshot().pools, poolwitness.findings())
        with psycopg_pool.ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1):
            print(len(poolwitness.snapshot().pools))
    """
    ran = run(program, environment(**ON))
    assert ran.stdout == b"() []\n1\n"
    assert [event["event"] for event in ran.events] == [
        "poolwitness.agent.started",
        "poolwitness.pool.opened",
        "poolwitness.pool.closed",
        "poolwitness.verdict",
    ]


def test_what_is_asked_for_beside_pools_is_there_from_the_import_on() -> None:
    program = "import sys, psycopg_pool; print('poolwitness.telling' in sys.modules)"
    for name, value in (("SIGNAL", "SIGUSR2"), ("BLACKBOX", "box"), ("OUTPUT", "otel")):
        ran = run(program, environment(**ON, **{f"POOLWITNESS_{name}": value}))
        assert ran.stdout == b"True\n", name


BREAKS = """
    import sys, psycopg_pool

    class Breaks:
        left = int(sys.argv[2])
        def find_spec(self, name, path=None, target=None):
            if name == "poolwitness.runtime.verdict" and self.left:
                self.left -= 1
                raise {"KeyboardInterrupt": KeyboardInterrupt, "RecursionError": RecursionError, "OSError": OSError}[sys.argv[1]]

    sys.meta_path.insert(0, Breaks())
    for turn in range(3):
        try:
            with psycopg_pool.ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1) as pool:
                print(turn)
        except KeyboardInterrupt:
            print("interrupted")
"""


def test_a_program_goes_on_where_it_cannot_be_loaded() -> None:
    with_agent, _ = both(BREAKS, "OSError", "1")
    (failed,) = with_agent.events
    assert failed["event"] == "poolwitness.agent.failed"
    assert "OSError" in failed["message"]


def test_a_stack_that_is_full_puts_it_off() -> None:
    with_agent, _ = both(BREAKS, "RecursionError", "1")
    assert len(with_agent.named("poolwitness.pool.opened")) == 2
    assert with_agent.verdict == "clean"


def test_ctrl_c_in_the_middle_of_it_is_the_programs() -> None:
    ran = run(BREAKS, environment(**ON), "KeyboardInterrupt", "1")
    assert (ran.stdout, ran.status) == (b"interrupted\n1\n2\n", 0)
    assert len(ran.named("poolwitness.pool.opened")) == 2
    assert ran.verdict == "clean"


def test_deactivated_in_the_middle_of_it() -> None:
    program = """
        import sys, threading
        import poolwitness, psycopg_pool

        init = psycopg_pool.ConnectionPool.__init__
        reached, go_on = threading.Event(), threading.Event()

        def slow(event, args):
            if event == "exec" and getattr(args[0], "co_filename", "").endswith("announcing.py"):
                reached.set()
                go_on.wait(30)

        def make():
            with psycopg_pool.ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1) as pool:
                print(pool.closed)

        sys.addaudithook(slow)
        thread = threading.Thread(target=make)
        thread.start()
        reached.wait(30)
        poolwitness.deactivate()
        print(psycopg_pool.ConnectionPool.__init__ is init.__wrapped__)
        go_on.set()
        thread.join()
        print(threading.active_count())
    """
    ran = run(program, environment(**ON))
    assert ran.stdout == b"True\nFalse\n1\n"
    assert ran.stderr == b""
