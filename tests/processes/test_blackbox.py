"""The black box: whatever the moment of the kill, what was acknowledged is in it, and nothing else."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from poolwitness.blackbox import reader
from poolwitness.blackbox.reader import DeadProcess
from tests.processes.blackbox.kill import Victim, compare, moment_s, remains_in
from tests.support.programs import environment, run

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL to send there")]

# The whole proof is 200; every run of the tests takes its share of it.
KILLS = int(os.environ.get("POOLWITNESS_TEST_KILLS", "6"))
AT_ONCE = 3


def settings(folder: Path, dsn: str = "", **more: str) -> dict[str, str]:
    """The environment of a program with a black box."""
    usual = {"POOLWITNESS": "1", "POOLWITNESS_OUTPUT": "none", "POOLWITNESS_BLACKBOX": str(folder), "DSN": dsn}
    return environment(**{**usual, **more})


def killed(program: str, env: dict[str, str]) -> None:
    """Run a program that kills itself."""
    ran = run(program, env)
    assert ran.status == -signal.SIGKILL, ran.stderr.decode()


def by_pid(folder: Path) -> dict[int, DeadProcess]:
    """What each file of a directory tells."""
    found = (reader.read(path) for path in reader.paths(str(folder)))
    return {left.identity.pid: left for left in found if left is not None}


def held(remains: DeadProcess) -> list[tuple[str, str, int]]:
    """What was out: the pool, the holder and the line."""
    return [
        (pool.info.name, checkout.holder, checkout.taken.origin.line if checkout.taken.origin else 0)
        for pool in remains.snapshot.pools
        for checkout in pool.checkouts
    ]


def rounds() -> Iterator[list[int]]:
    """The numbers of the kills, so many at a time as there are processes at once."""
    for start in range(0, KILLS, AT_ONCE):
        yield list(range(start, min(start + AT_ONCE, KILLS)))


def test_kill_at_a_random_moment(tmp_path: Path, dsn: str) -> None:
    waiting = out = 0
    for numbers in rounds():
        victims = []
        for number in numbers:
            folder = tmp_path / str(number)
            folder.mkdir()
            victims.append(Victim(folder, dsn))
        for number, victim in zip(numbers, victims, strict=True):
            victim.kill(moment_s(number))
        for number, victim in zip(numbers, victims, strict=True):
            remains = remains_in(victim.boxes)
            wrong = compare(remains, victim.journal.read())
            assert not wrong, f"kill {number}: {wrong}"
            waiting += len(remains.waiting)
            out += len(held(remains))
    assert out
    assert waiting


def test_tasks(tmp_path: Path, dsn: str) -> None:
    program = """
        import asyncio, os, signal
        from psycopg_pool import AsyncConnectionPool

        async def hold(pool):
            conn = await pool.getconn()
            await asyncio.sleep(600)

        async def want(pool):
            async with pool.connection(timeout=600):
                pass

        async def main():
            async with AsyncConnectionPool(os.environ["DSN"], min_size=1, name="shop", open=False) as pool:
                await pool.putconn(await pool.getconn())
                tasks = [asyncio.create_task(hold(pool), name="holder")]
                while pool._pool:
                    await asyncio.sleep(0.01)
                tasks.append(asyncio.create_task(want(pool), name="wanter"))
                gives_up = asyncio.create_task(want(pool), name="gives up")
                while len(pool._waiting) < 2:
                    await asyncio.sleep(0.01)
                gives_up.cancel()
                await asyncio.wait([gives_up])
                os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
    """
    killed(program, settings(tmp_path, dsn))
    ((_, remains),) = by_pid(tmp_path).items()
    assert held(remains) == [("shop", "holder", 5)]
    (pool,) = remains.snapshot.pools
    assert pool.checkouts[0].in_task
    (request,) = remains.waiting
    assert (request.holder, request.in_task, request.request.origin and request.request.origin.line) == (
        "wanter",
        True,
        9,
    )


def test_lost_and_dropped(tmp_path: Path, dsn: str) -> None:
    program = """
        import gc, os, signal
        import poolwitness
        from psycopg_pool import ConnectionPool

        def lose(pool):
            pool.getconn()

        def drop():
            ConnectionPool("host=127.0.0.1 port=1", min_size=0, max_size=1, num_workers=1, name="dropped", open=True)

        shop = ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, name="shop", open=True)
        lose(shop)
        drop()
        gc.collect()
        poolwitness.findings()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed(program, settings(tmp_path, dsn))
    ((_, remains),) = by_pid(tmp_path).items()
    shop, dropped = remains.snapshot.pools
    assert (shop.checkouts, shop.life.state, dropped.life.state) == ((), "open", "dropped")
    (lost,) = shop.lost
    assert (lost.lost_from_open, lost.taken.origin and lost.taken.origin.line) == (True, 6)


def test_levels(tmp_path: Path, dsn: str) -> None:
    program = """
        import os, signal
        from psycopg_pool import ConnectionPool

        def inner(pool):
            return pool.getconn()

        def outer(pool):
            return inner(pool)

        pool = ConnectionPool(os.environ["DSN"], min_size=1, name="shop", open=True)
        conn = [outer(pool)][0]
        os.kill(os.getpid(), signal.SIGKILL)
    """
    functions = {}
    for level in ("exit", "watch", "trace"):
        killed(program, settings(tmp_path / level, dsn, POOLWITNESS_LEVEL=level))
        ((_, remains),) = by_pid(tmp_path / level).items()
        (pool,) = remains.snapshot.pools
        functions[level] = [[frame.function for frame in found.taken.application] for found in pool.checkouts]
    assert functions == {"exit": [], "watch": [["inner", "outer"]], "trace": [["inner", "outer", "<module>"]]}


FORKING = """
    import ctypes, os, signal, sys, types

    if sys.argv[1] == "uwsgi":
        sys.modules["uwsgi"] = types.ModuleType("uwsgi")
    # As uWSGI does, C code forks without a word to Python.
    fork = os.fork if sys.argv[1] == "os" else ctypes.PyDLL(None).fork
    from psycopg_pool import ConnectionPool

    pool = ConnectionPool(os.environ["DSN"], min_size=3, name="parents", open=True)
    pool.wait()
    before = pool.getconn()
    kept = pool.getconn()
    pid = fork()
    if not pid:
        pool.putconn(before)  # the child's copy: the parent has it still
        taken = pool.getconn()
        own = ConnectionPool(os.environ["DSN"], min_size=0, max_size=1, num_workers=1, name="childs", open=False)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    print(pid, os.getpid(), flush=True)
    after = pool.getconn()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", ["os", "c", "uwsgi"])
def test_a_child_has_a_file_of_its_own(tmp_path: Path, dsn: str, how: str) -> None:
    ran = run(FORKING, settings(tmp_path, dsn), how)
    assert ran.status == -signal.SIGKILL, ran.stderr.decode()
    child, parent = map(int, ran.stdout.split())
    found = by_pid(tmp_path)
    assert set(found) == {child, parent}
    lines = {text: number for number, line in enumerate(FORKING.splitlines()) for text in [line.strip()]}
    assert sorted(held(found[parent])) == [
        ("parents", "MainThread", lines["before = pool.getconn()"]),
        ("parents", "MainThread", lines["kept = pool.getconn()"]),
        ("parents", "MainThread", lines["after = pool.getconn()"]),
    ]
    assert held(found[child]) == [("parents", "MainThread", lines["taken = pool.getconn()"])]
    assert {pool.info.name: pool.life.inherited for pool in found[child].snapshot.pools} == {
        "parents": True,
        "childs": False,
    }
    assert {pool.info.name: pool.life.inherited for pool in found[parent].snapshot.pools} == {"parents": False}


def test_a_child_that_ends_clears_away_its_own_file(tmp_path: Path, dsn: str) -> None:
    program = """
        import os, sys
        from psycopg_pool import ConnectionPool

        pool = ConnectionPool(os.environ["DSN"], min_size=1, name="parents", open=True)
        conn = pool.getconn()
        pid = os.fork()
        if not pid:
            with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as own, own.connection():
                print(len(os.listdir(os.environ["POOLWITNESS_BLACKBOX"])), flush=True)
            sys.exit(0)
        print(os.waitpid(pid, 0)[1], flush=True)
        os._exit(1)
    """
    ran = run(program, settings(tmp_path, dsn))
    assert ran.stdout == b"2\n0\n", ran.stderr.decode()
    ((_, remains),) = by_pid(tmp_path).items()
    assert [name for name, _, _ in held(remains)] == ["parents"]


def test_a_program_that_replaces_itself_leaves_both(tmp_path: Path, dsn: str) -> None:
    program = """
        import os, signal, sys
        from psycopg_pool import ConnectionPool

        again = len(sys.argv) > 1
        pool = ConnectionPool(os.environ["DSN"], min_size=1, name="second" if again else "first", open=True)
        if not again:
            os.execv(sys.executable, [sys.executable, __file__, "again"])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed(program, settings(tmp_path, dsn))
    names = [
        remains.snapshot.pools[0].info.name for remains in (remains_of(path) for path in sorted(tmp_path.iterdir()))
    ]
    assert sorted(names) == ["first", "second"]


def remains_of(path: Path) -> DeadProcess:
    """What one file tells."""
    left = reader.read(str(path))
    assert left is not None
    return left


def test_what_is_gone_makes_room(tmp_path: Path) -> None:
    program = """
        import os, signal
        from psycopg_pool import ConnectionPool

        for number in range(3000):
            ConnectionPool("", min_size=0, max_size=1, name=f"gone-{number}", open=False)
        last = ConnectionPool("", min_size=0, max_size=1, name="last", open=False)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed(program, settings(tmp_path))
    ((_, remains),) = by_pid(tmp_path).items()
    assert [pool.info.name for pool in remains.snapshot.pools][-1] == "last"
    assert not remains.dropped


def test_what_has_no_room_is_counted(tmp_path: Path) -> None:
    program = """
        import os, signal
        from psycopg_pool import ConnectionPool

        pools = [ConnectionPool("", min_size=0, max_size=1, name=f"pool-{number}", open=False) for number in range(1100)]
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed(program, settings(tmp_path))
    ((_, remains),) = by_pid(tmp_path).items()
    assert remains.dropped == {"pools": 100}
    assert [pool.info.name for pool in remains.snapshot.pools] == [f"pool-{number}" for number in range(1000)]
    assert remains.snapshot.dropped_records == 100


@pytest.mark.parametrize("kind", ["a file", "no room"])
def test_where_it_cannot_be_made_the_program_runs_on_and_it_is_told_once(tmp_path: Path, dsn: str, kind: str) -> None:
    folder = tmp_path / "boxes"
    if kind == "a file":
        folder.write_text("")
    program = """
        import os, resource
        from psycopg_pool import ConnectionPool

        if %r == "no room":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        for _ in range(2):
            with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
                pool.putconn(pool.getconn())
        print("done")
    """
    ran = run(program % kind, settings(folder, dsn, POOLWITNESS_OUTPUT="stderr"))
    assert (ran.stdout, ran.status, ran.own_stderr, ran.verdict) == (b"done\n", 0, b"", "clean")
    (problem,) = ran.named("poolwitness.agent.setting_invalid")
    assert str(folder) in problem["message"]
    assert folder.is_file() or not list(folder.iterdir())


def test_one_that_fails_leaves_no_file(tmp_path: Path, dsn: str) -> None:
    program = """
        import os
        from psycopg_pool import ConnectionPool
        from poolwitness.blackbox.writer import Writer

        with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
            pool.putconn(pool.getconn())
            print(len(os.listdir(os.environ["POOLWITNESS_BLACKBOX"])))
            Writer.stack = None
            pool.putconn(pool.getconn())
            print(len(os.listdir(os.environ["POOLWITNESS_BLACKBOX"])))
            pool.putconn(pool.getconn())
    """
    ran = run(program, settings(tmp_path, dsn, POOLWITNESS_OUTPUT="stderr"))
    assert (ran.stdout, ran.status, ran.own_stderr) == (b"1\n0\n", 0, b"")
    assert [event["poolwitness.part"] for event in ran.named("poolwitness.agent.part_disabled")] == ["blackbox"]
    assert ran.verdict == "clean"


def test_leaves_with_the_agent(tmp_path: Path, dsn: str) -> None:
    program = """
        import os
        import poolwitness
        from psycopg_pool import ConnectionPool

        with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
            pool.putconn(pool.getconn())
            print(len(os.listdir(os.environ["POOLWITNESS_BLACKBOX"])))
            descriptors = len(os.listdir("/proc/self/fd"))
            poolwitness.deactivate()
            print(len(os.listdir(os.environ["POOLWITNESS_BLACKBOX"])))
            print(descriptors - len(os.listdir("/proc/self/fd")) > 0)
            pool.putconn(pool.getconn())
    """
    ran = run(program, settings(tmp_path, dsn))
    assert (ran.stdout, ran.status, ran.stderr) == (b"1\n0\nTrue\n", 0, b"")


def test_off_is_not_even_imported(tmp_path: Path, dsn: str) -> None:
    program = """
        import os, sys
        from psycopg_pool import ConnectionPool

        with ConnectionPool(os.environ["DSN"], min_size=1, open=True) as pool:
            pool.putconn(pool.getconn())
        print([name for name in sys.modules if name.startswith("poolwitness.blackbox")])
    """
    ran = run(program, settings(tmp_path, dsn, POOLWITNESS_BLACKBOX=""))
    assert (ran.stdout, ran.status) == (b"[]\n", 0)
