"""A forked child's report is its own: its file, its run, its pools; whoever forked it."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import environment, run, strict

pytestmark = [pytest.mark.matrix_once, pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")]

FORKING = """
    import ctypes, os, sys
    from psycopg_pool import ConnectionPool

    fork = os.fork if sys.argv[1] == "os" else ctypes.PyDLL(None).fork
    parents = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1, name="parents")
    with parents.connection() as conn:
        conn.execute("select 1")
    pid = fork()
    if pid:
        os.waitpid(pid, 0)
        parents.close()
        sys.exit(0)
    if len(sys.argv) > 2:
        exec(sys.argv[2])
    with ConnectionPool(os.environ["DSN"], open=False, min_size=1, num_workers=1, name="childs") as own:
        own.wait()
    with parents.connection() as conn:
        conn.execute("select 2")
    os._exit(0)
"""


def told(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The events in each file of a folder, by its name."""
    return {
        path.name: [strict(line) for line in path.read_bytes().splitlines(keepends=True)] for path in folder.iterdir()
    }


def settings(dsn: str, **more: str) -> dict[str, str]:
    """An environment with the agent on."""
    return environment(DSN=dsn, POOLWITNESS="1", **more)


@pytest.mark.parametrize("how", ["os", "c"])
def test_a_child_writes_into_a_file_of_its_own(how: str, dsn: str, tmp_path: Path) -> None:
    ran = run(FORKING, settings(dsn, POOLWITNESS_OUTPUT=f"file:{tmp_path}/%p.log"), how)
    assert (ran.status, ran.events) == (0, [])
    files = told(tmp_path)
    assert len(files) == 2
    for name, events in files.items():
        assert {event["process.pid"] for event in events} == {int(name.removesuffix(".log"))}
        assert len({event["poolwitness.run_id"] for event in events}) == 1
        assert [event["poolwitness.seq"] for event in events] == list(range(1, len(events) + 1))
    (parents, childs) = sorted(files.values(), key=lambda events: events[0]["timestamp"])
    assert [event["event"] for event in parents].count("poolwitness.verdict") == 1
    assert [event.get("db.client.connection.pool.name") for event in childs] == [None, "childs", "childs", "parents"]
    assert childs[-1]["poolwitness.rule"] == "PW401"
    assert childs[-1]["poolwitness.opened_pid"] == parents[0]["process.pid"]


def test_a_relative_path_is_the_parents_also_for_a_child_that_went_elsewhere(dsn: str, tmp_path: Path) -> None:
    there = f"import os; os.chdir({str(tmp_path)!r})\n" + textwrap.dedent(FORKING)
    ran = run(there, settings(dsn, POOLWITNESS_OUTPUT="file:%p.log"), "os", "os.chdir('/')")
    assert ran.status == 0
    assert len(told(tmp_path)) == 2


def test_a_file_of_one_name_is_shared(dsn: str, tmp_path: Path) -> None:
    ran = run(FORKING, settings(dsn, POOLWITNESS_OUTPUT=f"file:{tmp_path}/all.log"), "os")
    assert ran.status == 0
    ((_, events),) = told(tmp_path).items()
    assert len({event["process.pid"] for event in events}) == 2


def test_where_the_child_cannot_make_a_file_its_lines_go_to_the_parents(dsn: str, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    gone = f"import shutil; shutil.move({str(folder)!r}, {str(folder) + '.moved'!r})"
    ran = run(FORKING, settings(dsn, POOLWITNESS_OUTPUT=f"file:{folder}/%p.log"), "os", gone)
    assert ran.status == 0
    ((_, events),) = told(tmp_path / "logs.moved").items()
    assert len({event["process.pid"] for event in events}) == 2
    assert "PW401" in {event.get("poolwitness.rule") for event in events}


@pytest.mark.parametrize("how", ["os", "c"])
def test_the_files_of_a_check_are_each_of_one_process(how: str, dsn: str, tmp_path: Path) -> None:
    ran = run(FORKING, settings(dsn, POOLWITNESS_OUTPUT="none", POOLWITNESS_CHECK_DIR=str(tmp_path)), how)
    assert ran.status == 0
    for name, events in told(tmp_path).items():
        assert {event["process.pid"] for event in events} == {int(name.removesuffix(".jsonl"))}


def test_without_memory_that_is_wiped_the_hook_and_the_pid_tell(dsn: str) -> None:
    program = """
        import mmap, sys

        class NotHere(mmap.mmap):
            def madvise(self, *args):
                raise OSError("as on macOS")

        mmap.mmap = NotHere
        import os
        from psycopg_pool import ConnectionPool
        from poolwitness.ledger import fork as forks
        assert forks._wiped is None

        pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
        with pool.connection() as conn:
            conn.execute("select 1")
        if os.fork() == 0:
            with pool.connection() as conn:
                conn.execute("select 1")
            os._exit(0)
        os.wait()
        import ctypes
        if ctypes.PyDLL(None).fork() == 0:
            pool.wait()
            os._exit(0)
        os.wait()
        pool.close()
    """
    ran = run(program, settings(dsn))
    assert ran.status == 0, ran.stderr.decode()
    assert ran.rules == ["PW401", "PW401"]
    assert [event["poolwitness.use"] for event in ran.named("poolwitness.finding")] == ["used", "waited for"]
    assert ran.verdict == "clean"


@pytest.mark.parametrize("how", ["os", "c"])
def test_a_child_looks_at_its_pools_with_a_thread_of_its_own(how: str, dsn: str, tmp_path: Path) -> None:
    program = """
        import ctypes, os, sys, time
        from psycopg_pool import ConnectionPool

        fork = os.fork if sys.argv[1] == "os" else ctypes.PyDLL(None).fork
        parents = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
        with parents.connection() as conn:
            conn.execute("select 1")
        pid = fork()
        if pid:
            print(os.waitpid(pid, 0)[1])
            parents.close()
            sys.exit(0)
        own = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
        conn = own.getconn()
        deadline_mono = time.monotonic() + 30
        while time.monotonic() < deadline_mono:
            with open(sys.argv[2] % os.getpid()) as told:
                if "PW103" in told.read():
                    os._exit(0)
            time.sleep(0.05)
        os._exit(1)
    """
    often = {"POOLWITNESS_HELD_S": "0.3", "POOLWITNESS_SWEEP_S": "0.1"}
    env = settings(dsn, POOLWITNESS_OUTPUT=f"file:{tmp_path}/%p.log", **often)
    assert run(program, env, how, f"{tmp_path}/%d.log").stdout == b"0\n"


def test_every_use_is_counted_and_the_fault_told_once(dsn: str) -> None:
    program = """
        import os, sys
        from psycopg_pool import ConnectionPool
        import poolwitness

        pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1, num_workers=1)
        pool.wait()
        if os.fork() == 0:
            for _ in range(5):
                with pool.connection() as conn:
                    conn.execute("select 1")
            print([f.extra["poolwitness.uses"] for f in poolwitness.findings()], flush=True)
            os._exit(0)
        os.wait()
        pool.close()
    """
    ran = run(program, settings(dsn))
    assert ran.stdout == b"[10]\n"  # taken and given back
    assert ran.rules == ["PW401"]
