"""Raise an exception of the program's at each line of the agent's in turn, and see that it comes out and does no harm.

Arguments: the work, the kind of exception, and how often each line is tried. Prints one JSON object.
"""

import asyncio
import collections
import json
import logging
import os
import sys
import time
import traceback
import warnings

from psycopg_pool import AsyncConnectionPool, ConnectionPool, NullConnectionPool

DSN = os.environ["DSN"]
warnings.simplefilter("ignore")
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
WORK, KIND, TIMES = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Limit(OSError, ValueError, RuntimeError, IndexError, KeyError, TypeError):
    """All that an `except` might be for."""


class Attribute(AttributeError):
    pass


class Plain(Exception):
    pass


KINDS = {
    "Limit": Limit,
    "Attribute": Attribute,
    "Plain": Plain,
    "KeyboardInterrupt": KeyboardInterrupt,
    "CancelledError": asyncio.CancelledError,
}
ERROR = KINDS[KIND]
elsewhere = []  # what the interpreter or asyncio was given, since nothing of the program's was on the stack
sys.unraisablehook = lambda args: elsewhere.append(args.exc_value)


class Tracer:
    """Raises at the first line of the agent's that runs in this thread and was not tried yet."""

    def __init__(self):
        self.seen = set()
        self.within = []
        self.stack = []

    def __call__(self, frame, event, arg):
        if frame.f_globals.get("__name__", "").partition(".")[0] != "poolwitness":
            return self.__call__ if event == "call" else None
        return self.line

    def line(self, frame, event, arg):
        if event != "line" or not_begun(frame) or (ONLY and frame.f_code.co_name not in ONLY):
            return self.line
        place = frame.f_code, frame.f_lineno
        # Only once in each run: a loop is one line.
        if place in self.seen:
            return self.line
        self.seen.add(place)
        if places[place] < TIMES:
            places[place] += 1
            self.stack = [f"{each.name}:{each.lineno}" for each in traceback.extract_stack(frame)][-4:]
            self.within = names_on(frame)
            raise ERROR
        return self.line


def names_on(frame):
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def in_worker():
    return "worker" in tracer.within


def not_begun(frame):
    """Before its `try`, putconn has not begun: the program may as well not have called it."""
    return frame.f_code.co_name == "putconn" and frame.f_lineno <= frame.f_code.co_firstlineno + 2


def sync_work(pool):
    with pool.connection() as conn:
        conn.execute("select 1")
    conn = pool.getconn(timeout=10)
    try:
        conn.execute("select 1")
        conn.rollback()
    finally:
        pool.putconn(conn)


async def async_work(pool):
    async with pool.connection(timeout=0.5) as conn:
        await conn.execute("select 1")
    conn = await pool.getconn(timeout=0.5)
    try:
        await conn.execute("select 1")
        await conn.rollback()
    finally:
        await pool.putconn(conn)


def whole(pool, size):
    over = time.monotonic() + 5
    while time.monotonic() < over:
        if len(pool._pool) == size:
            return True
        time.sleep(0.001)
    return False


class Checkouts:
    """One pool for all lines."""

    def __init__(self):
        self.pool = ConnectionPool(DSN, min_size=2, max_size=2, num_workers=1, open=True)
        self.pool.wait()
        sync_work(self.pool)

    def run(self):
        sync_work(self.pool)

    def problem(self):
        if not whole(self.pool, 2):
            return f"{len(self.pool._pool)} of 2 connections are left"
        return ""

    def end(self):
        self.pool.close()


class Null(Checkouts):
    def __init__(self):
        self.pool = NullConnectionPool(DSN, max_size=1, num_workers=1, open=True)
        sync_work(self.pool)

    def problem(self):
        over = time.monotonic() + 5
        while self.pool._nconns and time.monotonic() < over:
            time.sleep(0.001)
        return f"{self.pool._nconns} connections are counted" if self.pool._nconns else ""


class Lives:
    """A pool for each line."""

    def __init__(self):
        self.pool = None
        self.run()

    def run(self):
        self.pool = None
        self.pool = ConnectionPool(DSN, min_size=0, max_size=1, num_workers=1, open=False)
        try:
            self.pool.open()
            sync_work(self.pool)
        finally:
            self.pool.close()

    def problem(self):
        # Interrupted before it began, close() is called again, as an ExitStack or a second finally would.
        if self.pool is not None:
            self.pool.close()
        return ""

    end = problem


class Asynchronous:
    def __init__(self):
        self.size = 2
        self.run()

    def run(self):
        asyncio.run(self.main())

    async def main(self):
        asyncio.get_running_loop().set_exception_handler(lambda _, context: elsewhere.append(context.get("exception")))
        self.left = None
        pool = AsyncConnectionPool(DSN, min_size=2, max_size=2, num_workers=1, open=False)
        try:
            await pool.open()
            await pool.wait(0.5)
            self.left = -1
            await async_work(pool)
            await asyncio.sleep(0.012)  # for the sweep
        finally:
            for _ in range(500 * (self.left is not None)):
                self.left = len(pool._pool)
                if self.left == 2:
                    break
                await asyncio.sleep(0.001)
            try:
                await pool.close()
            finally:
                # As an exit stack would: it may have been interrupted before it began.
                await pool.close()

    def problem(self):
        # None: it was interrupted before it was filled. In a worker, the pool loses what the worker was at.
        return "" if self.left in (2, None) or in_worker() else f"{self.left} of 2 connections are left"

    def end(self):
        pass


class Sweeps(Checkouts):
    """What else runs in a program's thread: a sweep, an answer, the fork hook's consequences."""

    def run(self):
        from poolwitness import agent

        with self.pool.connection():
            agent.current().sweep.sweep()
            agent.current().dump_server.report("test")
            agent.current_dump()


class Wrappers(Checkouts):
    """Only the lines of our getconn and putconn themselves."""

    only = ("getconn", "putconn")


class AsyncWrappers:
    """The same, of the async pool: one pool and one loop for all lines."""

    only = Wrappers.only

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.pool = self.loop.run_until_complete(self.opened())

    async def opened(self):
        pool = AsyncConnectionPool(DSN, min_size=2, max_size=2, num_workers=1, open=False)
        await pool.open(wait=True)
        await async_work(pool)
        return pool

    def run(self):
        self.loop.run_until_complete(async_work(self.pool))

    async def filled(self):
        for _ in range(5000):
            if len(self.pool._pool) == 2:
                return ""
            await asyncio.sleep(0.001)
        return f"{len(self.pool._pool)} of 2 connections are left"

    def problem(self):
        return self.loop.run_until_complete(self.filled())

    def end(self):
        self.loop.run_until_complete(self.pool.close())


WORKS = (Checkouts, Null, Lives, Asynchronous, Sweeps, Wrappers, AsyncWrappers)
work = {cls.__name__: cls for cls in WORKS}[WORK]()
ONLY = getattr(work, "only", None)
from poolwitness import agent  # noqa: E402 - loaded by the first pool

guards = agent.current().guards
tracer = None
problems, tried, silent = [], 0, 0
places = collections.Counter()
while silent < 2 and len(problems) < 30:
    tracer = Tracer()
    elsewhere.clear()
    caught = None
    sys.settrace(tracer)
    try:
        work.run()
    except BaseException as error:
        caught = error
    finally:
        sys.settrace(None)
    if not tracer.stack:
        silent += 1
        if caught is not None:
            problems.append(f"not raised, but {caught!r}")
    else:
        silent, tried = 0, tried + 1
        seen = caught
        while seen is not None and not isinstance(seen, ERROR):
            seen = seen.__context__
        # A worker of the pool contains what its tasks raise, asyncio what its callbacks do.
        if seen is None and not elsewhere and not in_worker():
            problems.append(f"{tracer.stack}: lost; {caught!r}")
        if problem := work.problem():
            problems.append(f"{tracer.stack}: {problem}")
            work.end()
            work = type(work)()
        if disabled := [f"{each.name}: {each.failure}" for each in guards if not each.enabled]:
            problems.append(f"{tracer.stack}: disabled {disabled}")
            break
    del caught
work.end()
taken = [
    connection.id
    for connection in agent.current().ledger.connections.values()
    if connection.taken_from is not None and connection.ref() is not None
]
if taken:
    problems.append(f"{len(taken)} connections are thought to be checked out")
print(json.dumps({"tried": tried, "places": len(places), "problems": problems}))
