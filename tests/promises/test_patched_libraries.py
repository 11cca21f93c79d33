"""Libraries that replace the clock, ``select``, ``os.write`` or threads do not change what the agent reports."""

from __future__ import annotations

import importlib.util
import shutil
import time
from calendar import timegm
from pathlib import Path

import pytest

from tests.support.programs import Ran, environment, run

PATCHED = {"POOLWITNESS": "1", "POOLWITNESS_HELD_S": "0.5", "POOLWITNESS_SWEEP_S": "0.1", "PYTHONWARNINGS": "ignore"}


def needs(library: str) -> pytest.MarkDecorator:
    """Skip a test whose library is not installed: pip install '.[audit]'."""
    return pytest.mark.skipif(importlib.util.find_spec(library) is None, reason=f"{library} is not installed")


def moments(ran: Ran) -> list[float]:
    """The timestamps of all events, in seconds since the epoch."""
    return [
        timegm(time.strptime(event["timestamp"][:19], "%Y-%m-%dT%H:%M:%S")) + float("0." + event["timestamp"][20:26])
        for event in ran.events
    ]


# Greenlets

LEAK = """
    {patch}
    import gc, os, sys
    {activate}
    from psycopg_pool import ConnectionPool
    pool = ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True, num_workers=1)
    pool.wait()
    conn = pool.getconn()
    del conn
    gc.collect()
    with pool.connection():
        pass
    pool.close()
    print("end")
"""
PATCHES = {
    "eventlet": "import eventlet; eventlet.monkey_patch()",
    "gevent": "from gevent import monkey; monkey.patch_all()",
}
ACTIVATE = "import poolwitness; poolwitness.activate()"


@pytest.mark.parametrize("way_in", ["environment", "activate"])
@pytest.mark.parametrize("library", [pytest.param(name, marks=needs(name)) for name in PATCHES])
def test_lines_arrive_on_a_pipe(library: str, way_in: str, dsn: str) -> None:
    activate = ACTIVATE if way_in == "activate" else ""
    env = environment(DSN=dsn, **PATCHED)
    if activate:
        del env["POOLWITNESS"]
    ran = run(LEAK.format(patch=PATCHES[library], activate=activate), env)
    assert (ran.stdout, ran.own_stderr, ran.status) == (b"end\n", b"", 0)
    assert (ran.rules, ran.verdict) == (["PW101"], "findings")


def test_lines_arrive_where_a_program_removes_what_writes() -> None:
    program = """
        import os, select
        from psycopg_pool import ConnectionPool, PoolClosed
        del select.poll
        os.write = None
        with ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1, num_workers=1) as pool:
            pass
        try:
            pool.getconn()
        except PoolClosed:
            print("closed")
    """
    ran = run(program, environment(**PATCHED))
    assert (ran.stdout, ran.rules, ran.verdict) == (b"closed\n", ["PW005"], "findings")


def test_an_output_that_cannot_be_written_is_reported_in_one_line() -> None:
    program = """
        import psycopg_pool
        from poolwitness.report import sinks
        def broken(*args):
            raise AttributeError("no poll here")
        sinks.write_patiently = broken
        with psycopg_pool.ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1, num_workers=1):
            print("in use")
    """
    ran = run(program, environment(**PATCHED))
    (event,) = ran.events
    assert (ran.stdout, event["event"]) == (b"in use\n", "poolwitness.agent.failed")
    assert event["message"].startswith("output 'stderr' cannot be written (AttributeError)")


GREEN_THREADS = """
    import eventlet; eventlet.monkey_patch()
    import os, threading, time
    from psycopg_pool import ConnectionPool, PoolTimeout

    pool = ConnectionPool(os.environ["DSN"], open=True, min_size=2, max_size=2, num_workers=1, timeout=0.3)
    pool.wait()
    over = threading.Event()

    def hold():
        with pool.connection():
            over.wait()

    holders = [eventlet.spawn(hold), eventlet.spawn(hold)]
    eventlet.sleep(0.2)
    try:
        pool.getconn()
    except PoolTimeout as error:
        print(error)
    eventlet.sleep(1.5)
    over.set()
    for holder in holders:
        holder.wait()
    pool.close()
"""


@needs("eventlet")
def test_holders_are_green_threads(dsn: str) -> None:
    env = environment(DSN=dsn)
    off, on = run(GREEN_THREADS, {**env, "PYTHONWARNINGS": "ignore"}), run(GREEN_THREADS, {**env, **PATCHED})
    assert (on.stdout, on.status) == (off.stdout, off.status)
    assert sorted(on.rules) == ["PW103", "PW103", "PW201"]
    assert len(on.named("poolwitness.finding.resolved")) == 2
    rows = on.named("poolwitness.holder")
    assert len({row["poolwitness.holder"] for row in rows}) == 2
    for row in rows:
        assert row["poolwitness.holder"].startswith("GreenThread-") and row["poolwitness.holder_alive"] is True
        assert " in hold" in row["message"]


# The clock

HELD = """
    import os, sys, time
    from psycopg_pool import ConnectionPool
    {before}
    with ConnectionPool(os.environ["DSN"], min_size=2, max_size=3, open=True, num_workers=1) as pool:
        pool.wait()
        outer = pool.getconn()
        with {travel}:
            print(time.time() < 1.6e9)
            inner = pool.getconn()
            {wait}
            pool.putconn(inner)
        {wait}
        pool.putconn(outer)
    print("end")
"""
# A sleep of the real length, whatever the clock says.
WAIT = "import select; select.select([], [], [], 1.2)"
TRAVELS = {
    "freezegun": ("from freezegun import freeze_time", "freeze_time('2020-01-01')"),
    "time_machine": ("import time_machine", "time_machine.travel('2020-01-01', tick=False)"),
}


@pytest.mark.parametrize("library", [pytest.param(name, marks=needs(name)) for name in TRAVELS])
def test_times_and_ages_are_real_where_the_clock_is_replaced(library: str, dsn: str) -> None:
    before, travel = TRAVELS[library]
    started = time.time()
    ran = run(HELD.format(before=before, travel=travel, wait=WAIT), environment(DSN=dsn, **PATCHED))
    ended = time.time()
    assert ran.stdout == b"True\nend\n", ran.stderr
    assert sorted(ran.rules) == ["PW103", "PW103", "PW106"]
    stamps = moments(ran)
    assert stamps == sorted(stamps) and started - 0.1 <= stamps[0] and stamps[-1] <= ended + 0.1
    assert_ages(ran, ended - started)


@needs("freezegun")
def test_activate_under_a_frozen_clock_takes_the_real_one(dsn: str) -> None:
    program = """
        from freezegun import freeze_time
        freezer = freeze_time("2020-01-01"); freezer.start()
        import os, poolwitness; poolwitness.activate()
        from psycopg_pool import ConnectionPool
        with ConnectionPool(os.environ["DSN"], min_size=0, max_size=1, open=False, num_workers=1):
            print("in use")
    """
    started = time.time()
    ran = run(program, environment(DSN=dsn))
    assert ran.stdout == b"in use\n" and ran.verdict == "clean", ran.stderr
    assert all(started - 0.1 <= moment <= time.time() + 0.1 for moment in moments(ran))


FAKETIME = shutil.which("faketime")


@pytest.mark.skipif(FAKETIME is None, reason="faketime is not installed")
@pytest.mark.parametrize("file", ["@2020-01-01 00:00:00", "-30d x3"])
def test_under_libfaketime_times_are_consistent(file: str, dsn: str) -> None:
    ran = run(HELD_PLAIN, environment(DSN=dsn, **PATCHED, **preloaded(FAKETIME=file)))
    assert ran.stdout == b"end\n", ran.stderr
    assert "PW103" in ran.rules
    stamps = moments(ran)
    assert stamps == sorted(stamps) and stamps[-1] < time.time() - 86_400
    assert_ages(ran, stamps[-1] - stamps[0])


@pytest.mark.skipif(FAKETIME is None, reason="faketime is not installed")
def test_a_clock_that_is_set_back_gives_no_negative_age(dsn: str, tmp_path: Path) -> None:
    setting = tmp_path / "faketime"
    setting.write_text("+0")
    env = preloaded(FAKETIME_TIMESTAMP_FILE=str(setting), FAKETIME_NO_CACHE="1")
    program = HELD_PLAIN.replace("# here", f"open({str(setting)!r}, 'w').write('-10d')")
    ran = run(program, environment(DSN=dsn, **PATCHED, **env))
    assert ran.stdout == b"end\n", ran.stderr
    assert_ages(ran, 60.0)


HELD_PLAIN = """
    import os, subprocess
    from psycopg_pool import ConnectionPool
    with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True, num_workers=1) as pool:
        pool.wait()
        with pool.connection():
            subprocess.run(["sleep", "0.8"], env={})
            # here
            subprocess.run(["sleep", "0.8"], env={})
    print("end")
"""


def preloaded(**variables: str) -> dict[str, str]:
    """What ``faketime`` sets, for the program alone and not for the server."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        pytest.skip("libfaketime is somewhere else here")
    return {"LD_PRELOAD": str(libraries[0]), **variables}


def assert_ages(ran: Ran, at_most_s: float) -> None:
    """Every duration of every event is between zero and how long the program ran."""
    for event in ran.events:
        for name, value in event.items():
            if name.endswith("_s") and isinstance(value, float) and name not in SETTINGS:
                assert 0.0 <= value <= at_most_s + 0.5, (name, value, event)


SETTINGS = {"poolwitness.pool.timeout_s", "poolwitness.expected_exit_delay_s"}
