"""Situations that have done harm to programs under an agent, each as a small program that prints what it sees."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

linux = sys.platform == "linux"


@dataclass(frozen=True)
class Case:
    """One situation.

    ``program`` gets the database as DSN; ``rules`` are the findings that are right, None for any.
    """

    name: str
    program: str
    rules: tuple[str, ...] | None = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    # The program breaks what the agent needs, too: a component of it may fail.
    may_fail: bool = False
    # A fault that is known and not fixed yet.
    known: str = ""
    needs: str = ""
    only_if: Callable[[], bool] = lambda: True

    def why_not(self) -> str:
        """Why it cannot be run here; empty if it can."""
        if self.needs and importlib.util.find_spec(self.needs) is None:
            return f"{self.needs} is not installed"
        return "" if self.only_if() else "not on this system"


POOL = """
import gc, os, sys, threading, time
from psycopg_pool import ConnectionPool, PoolTimeout, PoolClosed
DSN = os.environ["DSN"]
def work(pool):
    with pool.connection() as conn:
        return conn.execute("select 42").fetchone()[0]
"""
USE = """
with ConnectionPool(DSN, min_size=1, max_size=2, open=True) as pool:
    pool.wait()
    {body}
print("end")
"""


def using(body: str, before: str = "", after: str = "") -> str:
    """A program that uses a pool between some lines before, and some after it was closed."""
    indented = body.strip().replace("\n", "\n    ")
    return f"{before}{POOL}{USE.format(body=indented)}{after}"


CASES = [
    # What an interpreter can be
    Case("plain", using("print(work(pool))")),
    Case("left open", POOL + "pool = ConnectionPool(DSN, min_size=1, open=True); pool.wait(); print(work(pool))", None),
    Case("development mode", using("print(work(pool))"), options=("-X", "dev")),
    Case("warnings are errors", using("print(work(pool))"), options=("-W", "error")),
    Case("optimized", using("print(work(pool))"), options=("-OO",)),
    Case("unbuffered, no bytecode", using("print(work(pool))"), options=("-u", "-B")),
    Case("isolated from the user's folder", using("print(work(pool))"), options=("-s",)),
    Case("debugging allocator", using("print(work(pool))"), variables={"PYTHONMALLOC": "debug"}),
    Case("memory is traced", using("print(work(pool))"), options=("-X", "tracemalloc=5")),
    Case(
        "ascii locale",
        using("print(work(pool))"),
        variables={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ),
    # What a program does to its interpreter
    Case("trace function", using("print(work(pool))", "import sys\nsys.settrace(lambda *a: None)\n")),
    Case(
        "profile function, local tracing, in all threads",
        using(
            "print(work(pool))",
            "import sys, threading\ndef t(*a): return t\nthreading.settrace(t); sys.setprofile(lambda *a: None)\n",
        ),
    ),
    Case(
        "recursion",
        using("""
def deeper(n):
    try: return deeper(n + 1)
    except RecursionError: return work(pool)
print(deeper(0) in (42, None))
"""),
    ),
    Case("recursion limit", using("sys.setrecursionlimit(90); print(work(pool))")),
    Case("collector runs all the time", using("print(work(pool))", "import gc\ngc.set_threshold(1)\n")),
    Case(
        "collector is off and objects are frozen", using("print(work(pool))", "import gc\ngc.disable(); gc.freeze()\n")
    ),
    Case(
        "many threads",
        using("""
threads = [threading.Thread(target=work, args=(pool,)) for _ in range(500)]
for each in threads: each.start()
for each in threads: each.join()
print(len(threads))
"""),
        None,
    ),
    Case(
        "no descriptor left",
        using("""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)); kept = []
try:
    while True: kept.append(os.open(os.devnull, os.O_RDONLY))
except OSError as error: print(type(error).__name__)
print(work(pool)); [os.close(fd) for fd in kept]
"""),
    ),
    Case("descriptors are closed", using("os.closerange(50, 500); print(work(pool))")),
    Case("stderr is closed", using("os.close(2); print(work(pool))")),
    Case("stderr is nowhere", using("os.dup2(os.open(os.devnull, os.O_RDWR), 2); print(work(pool))")),
    Case("another directory and umask", using("os.chdir('/'); os.umask(0o077); print(work(pool))")),
    Case("environment is cleared", using("os.environ.clear(); print(work(pool))", after="os.environ['X'] = 'y'\n")),
    Case(
        "builtins are replaced",
        using(
            "import builtins; builtins.open = builtins.print = None; sys.stdout.write(str(work(pool)))\nbuiltins.print = lambda *a: None"
        ),
        may_fail=True,
    ),
    Case(
        "modules are forgotten",
        using(
            "[sys.modules.pop(n) for n in list(sys.modules) if n.startswith(('psycopg', 'structlog', 'psutil'))]; print(work(pool))"
        ),
        may_fail=True,
    ),
    # Exceptions and signals
    Case(
        "exception of a signal handler on the way",
        using(
            """
import logging, signal
logging.disable(50)
class Limit(Exception): pass
def boom(*a): raise Limit
signal.signal(signal.SIGALRM, boom)
kept = 0
for _ in range(30):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.004)
        end = time.monotonic() + 1
        while time.monotonic() < end: work(pool)
        print("lost")
    except Limit: kept += 1
    finally: signal.setitimer(signal.ITIMER_REAL, 0)
print(kept)
""",
            after="os._exit(0)\n",
        ),
        None,
    ),
    Case(
        "limit during the first pool",
        POOL
        + """
import signal
class Limit(Exception): pass
def boom(*a): raise Limit
signal.signal(signal.SIGALRM, boom)
try:
    signal.setitimer(signal.ITIMER_REAL, 0.010)
    ConnectionPool(DSN, open=False, min_size=0, max_size=1)
    time.sleep(0.5)
    print("lost")
except Limit: print("kept")
""",
        None,
    ),
    Case("uncaught exception", using("work(pool); raise ValueError('its own')")),
    Case("exit with a status", using("work(pool); sys.exit(7)")),
    Case("ended by a signal", using("work(pool); os.kill(os.getpid(), 15)")),
    Case(
        "interrupted",
        using(
            "import signal; signal.signal(2, signal.default_int_handler); work(pool); os.kill(os.getpid(), 2); time.sleep(1)"
        ),
    ),
    Case(
        "a handler of its own",
        using("import signal; signal.signal(15, lambda *a: print('handled')); work(pool); os.kill(os.getpid(), 15)"),
    ),
    Case(
        "exception out of the block",
        using("""
try:
    with pool.connection() as conn: conn.execute("select 1/0")
except Exception as error: print(type(error).__name__, error)
"""),
    ),
    Case(
        "refused and closed",
        using(
            """
one, two = pool.getconn(), pool.getconn()
try: pool.getconn(timeout=0.1)
except PoolTimeout as error: print(error)
pool.putconn(one); pool.putconn(two)
""",
            after="""
try: pool.getconn()
except PoolClosed as error: print(error)
""",
        ),
        None,
    ),
    # Processes
    Case(
        "fork",
        using("""
pid = os.fork()
if pid == 0:
    with ConnectionPool(DSN, min_size=1, max_size=1, open=True) as own: print(work(own), flush=True)
    os._exit(3)
print(os.waitpid(pid, 0)[1], work(pool))
"""),
        None,
        only_if=lambda: hasattr(os, "fork"),
    ),
    Case(
        "subprocess",
        using(
            "import subprocess; print(subprocess.run([sys.executable, '-c', 'import sys; print(sys.argv)'], capture_output=True)); work(pool)"
        ),
        (),
    ),
    Case(
        "spawned children",
        """
import multiprocessing, os
from psycopg_pool import ConnectionPool
def child(n):
    with ConnectionPool(os.environ["DSN"], min_size=1, max_size=1, open=True) as pool:
        with pool.connection() as conn: return conn.execute("select %s::int", (n,)).fetchone()[0]
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as workers: print(workers.map(child, [1, 2, 3]))
""",
    ),
    # Rows of the audit
    Case(
        "black box is truncated",
        using("""
import glob
work(pool)
for name in glob.glob("box/**", recursive=True):
    if os.path.isfile(name): os.truncate(name, 0)
for _ in range(3): print(work(pool))
"""),
        (),
        {"POOLWITNESS_BLACKBOX": "box"},
        only_if=lambda: linux,
    ),
    Case(
        "SQL parameter in an error",
        POOL
        + """
def configure(conn): conn.execute("select set_config('app.n', (%s::int)::text, false)", ("078-05-1120",))
import logging; logging.disable(50)
pool = ConnectionPool(DSN, min_size=1, open=True, configure=configure, reconnect_timeout=0.5)
time.sleep(1.5); pool.close(); print("end")
""",
        None,
    ),
    Case(
        "secrets in source lines",
        POOL
        + """
vault = {"hunter2": " "}
one = ConnectionPool(DSN + f"{vault['hunter2']}", min_size=1, num_workers=1, open=True)
two = ConnectionPool(DSN, kwargs=dict(application_name="hunter2"), min_size=1, num_workers=1, open=True)
one.wait(); two.wait(); print("end")
""",
        None,
    ),
    Case(
        "introspection",
        POOL
        + """
import inspect
for cls in ConnectionPool,:
    for name in ("__init__", "getconn", "putconn", "close", "open", "connection", "wait", "resize"):
        function = getattr(cls, name)
        print(name, inspect.signature(function), inspect.getfullargspec(function), function.__defaults__, function.__kwdefaults__, function.__doc__, function.__qualname__, function.__module__)
ConnectionPool.close(self=ConnectionPool("", open=False)); print("end")
""",
    ),
    Case(
        "stderr is read to its end",
        POOL
        + """
import subprocess
if len(sys.argv) == 1:
    started = time.monotonic()
    child = subprocess.Popen([sys.executable, __file__, "child"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    child.stderr.read(); print(time.monotonic() - started < 3); child.wait()
else:
    with ConnectionPool(DSN, min_size=1, open=True) as pool:
        pool.wait()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2): os.dup2(null, fd)
        time.sleep(4)
""",
    ),
    Case(
        "log file is rotated",
        using("work(pool); os.rename('pw.log', 'pw.log.1') if os.path.exists('pw.log') else None; print(work(pool))"),
        (),
        {"POOLWITNESS_OUTPUT": "file:pw.log"},
    ),
    # Other libraries
    Case(
        "eventlet",
        using(
            "print(work(pool))",
            "import warnings; warnings.simplefilter('ignore')\nimport eventlet; eventlet.monkey_patch()\n",
        ),
        needs="eventlet",
    ),
    Case("gevent", using("print(work(pool))", "from gevent import monkey; monkey.patch_all()\n"), needs="gevent"),
    Case(
        "freezegun",
        using("""
from freezegun import freeze_time
with freeze_time("2020-01-01"): print(time.time(), work(pool))
"""),
        needs="freezegun",
    ),
    Case(
        "time-machine",
        using("""
import time_machine
with time_machine.travel("2020-01-01", tick=False): print(time.time(), work(pool))
"""),
        needs="time_machine",
    ),
    Case(
        "asyncio in debug mode",
        """
import asyncio, os
from psycopg_pool import AsyncConnectionPool
async def main():
    asyncio.get_running_loop().slow_callback_duration = 5  # loading the agent takes longer than the usual 0.1
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=False) as pool:
        async def one():
            async with pool.connection() as conn: return (await (await conn.execute("select 42")).fetchone())[0]
        print(await asyncio.gather(*(one() for _ in range(20))))
asyncio.run(main(), debug=True)
""",
    ),
    Case(
        "uvloop",
        """
import asyncio, os, uvloop
from psycopg_pool import AsyncConnectionPool
async def main():
    async with AsyncConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=False) as pool:
        async with pool.connection() as conn: print(await (await conn.execute("select 42")).fetchone())
uvloop.run(main())
""",
        needs="uvloop",
    ),
    Case(
        "the program's own wrapper",
        using(
            """
print(work(pool), calls)
""",
            """
import functools
import psycopg_pool
calls = []
original = psycopg_pool.ConnectionPool.getconn
@functools.wraps(original)
def getconn(self, *args, **kwargs):
    calls.append(1)
    return original(self, *args, **kwargs)
psycopg_pool.ConnectionPool.getconn = getconn
""",
        ),
        known="a method that another library has wrapped is not patched: its parameters are read from its code",
    ),
    Case(
        "a subclass that overrides everything",
        POOL
        + """
class Own(ConnectionPool):
    def __init__(self, *a, **k): super().__init__(*a, **k)
    def getconn(self, *a, **k): return super().getconn(*a, **k)
    def putconn(self, *a, **k): return super().putconn(*a, **k)
    def close(self, *a, **k): return super().close(*a, **k)
with Own(DSN, min_size=1, max_size=2, open=True) as pool: print(work(pool))
print("end")
""",
    ),
    Case(
        "structlog of the program",
        using("""
import structlog
print(structlog.is_configured(), work(pool)); structlog.get_logger().info("its own")
"""),
        needs="structlog",
    ),
]
