"""A patched method answers every question about itself as the original does."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys

import pytest

from tests.support.levels import LEVELS
from tests.support.programs import ON, environment

FACES = """
import inspect, json, sys
import psycopg, psycopg_pool
from psycopg.adapt import AdaptersMap
from psycopg_pool import sched, pool, pool_async

owners = [value for value in vars(psycopg_pool).values() if inspect.isclass(value)]
owners += [psycopg.Connection, psycopg.AsyncConnection, AdaptersMap, sched.Scheduler]
for module in list(sys.modules.values()):
    if getattr(module, "__name__", "").startswith("psycopg_pool"):
        owners += [getattr(module, name) for name in ("AsyncScheduler", "MaintenanceTask", "WaitingClient", "AsyncClient")
                   if hasattr(module, name)]
owners = list(dict.fromkeys(owners))

def answer(ask):
    try:
        return str(ask())
    except Exception as error:
        return f"{type(error).__name__}: {error}"

psycopg_pool.ConnectionPool("", open=False)
for owner in owners:
    for name in dir(owner):
        function = getattr(owner, name)
        if not inspect.isfunction(function):
            continue
        print(json.dumps([
            owner.__module__, owner.__name__, name,
            answer(lambda: inspect.signature(function)),
            answer(lambda: inspect.signature(function, follow_wrapped=False)),
            answer(lambda: inspect.getfullargspec(function)),
            answer(lambda: inspect.getfullargspec(owner)),
            answer(lambda: function.__defaults__), answer(lambda: function.__kwdefaults__),
            answer(lambda: inspect.iscoroutinefunction(function)),
            answer(lambda: function.__name__ + function.__qualname__ + function.__module__ + str(function.__doc__)),
            answer(lambda: function()) if not inspect.iscoroutinefunction(function) else "",
        ]))

class Owner(psycopg_pool.ConnectionPool):
    pass
for cls in (psycopg_pool.ConnectionPool, psycopg_pool.NullConnectionPool, Owner):
    made = cls.__new__(cls)
    cls.__init__(self=made, conninfo="", open=False, min_size=0, max_size=1, timeout=0.2)
    print(answer(lambda: cls.open(self=made)), answer(lambda: cls.getconn(self=made)),
          answer(lambda: cls.putconn(self=made, conn=None)), answer(lambda: cls.wait(self=made, timeout=0.01)),
          answer(lambda: cls.check(self=made)), answer(lambda: cls.__enter__(self=made)), cls.close(self=made))

import asyncio
async def awaited(call):
    try:
        return str(await call())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
async def main():
    for cls in (psycopg_pool.AsyncConnectionPool, psycopg_pool.AsyncNullConnectionPool):
        made = cls.__new__(cls)
        cls.__init__(self=made, conninfo="", open=False, min_size=0, max_size=1, timeout=0.2)
        for name, more in dict(open={}, getconn={}, putconn={"conn": None}, wait={"timeout": 0.01}, check={}, close={}).items():
            print(name, await awaited(lambda: getattr(cls, name)(self=made, **more)))
asyncio.run(main())
"""
AUDIT = """
import inspect
from psycopg_pool import ConnectionPool
print(inspect.getfullargspec(ConnectionPool).kwonlyargs[:3], inspect.getfullargspec(ConnectionPool.putconn).args)
print((ConnectionPool.__init__.__kwdefaults__ or {}).get("min_size"))
try: ConnectionPool.close(self=ConnectionPool("", open=False)); print("ok")
except TypeError as e: print(e)
"""


@functools.cache
def answers(program: str, level: str) -> list[str]:
    env = environment(POOLWITNESS_LEVEL=level, **(ON if level else {}))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env, timeout=60, cwd=os.sep
    )
    return re.sub("0x[0-9a-f]+", "0x", done.stdout).splitlines()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("program", [FACES, AUDIT], ids=["all", "audit"])
def test_patched_methods_answer_as_the_originals(program: str, level: str) -> None:
    with_agent, without = answers(program, level), answers(program, "")
    assert len(with_agent) == len(without)
    for one, other in zip(with_agent, without, strict=True):
        assert one == other


def test_a_patched_method_may_be_called_straight_from_c() -> None:
    program = """
import atexit, functools
from psycopg_pool import ConnectionPool
pools = [ConnectionPool("", open=False, min_size=0, max_size=1, timeout=0.2) for _ in range(3)]
print(list(map(ConnectionPool.open, pools)), list(map(functools.partial(ConnectionPool.close), pools[:1])))
try:
    list(map(ConnectionPool.getconn, pools))
except Exception as error:
    print(type(error))
for pool in pools:
    atexit.register(pool.close)
"""
    assert answers(program, "watch") == answers(program, "")
