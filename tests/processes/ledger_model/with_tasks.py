"""Random lives of async pools, used by tasks."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from psycopg_pool import AsyncConnectionPool, AsyncNullConnectionPool, PoolClosed, PoolTimeout

from tests.processes.ledger_model.expected import Expected, is_forgotten, is_whole, refused

PATIENCE_S = 30.0
SOON_S = 0.02
TURNS = 8

which = st.integers(0, 11)


class WithTasks(RuleBasedStateMachine):
    """An async pool, tasks that take, return and are cancelled, and what they may do to the pool meanwhile."""

    dsn = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.waiting: list[asyncio.Task[Any]] = []
        self.tasks = 0

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine as a task of its own, which ends with it."""
        return self.loop.run_until_complete(self.begin(work))

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task with a name of its own."""
        self.tasks += 1
        return self.loop.create_task(work, name=f"task {self.tasks}")

    @initialize(sizes=st.tuples(st.integers(0, 2), st.integers(1, 4)), null=st.booleans())
    def make(self, sizes: tuple[int, int], null: bool) -> None:
        """The pool."""
        cls: Any = AsyncNullConnectionPool if null else AsyncConnectionPool
        smallest = 0 if null else min(sizes)
        pool = cls(self.dsn, min_size=smallest, max_size=max(sizes), num_workers=1, open=False)
        self.do(pool.open())
        self.expected = Expected(pool)

    def under_way(self) -> int:
        """How many connections are being made, or are on their way to somebody; a lost one the pool counts for ever."""
        pool = self.expected.pool
        return int(pool._nconns) - len(pool._pool) - len(self.expected.out) - self.expected.lost

    def has_one(self) -> bool:
        """Whether the pool would give a connection to one more."""
        pool = self.expected.pool
        may_grow = pool._nconns < pool._max_size
        if len(pool._pool) or (may_grow and isinstance(pool, AsyncNullConnectionPool)):
            return True
        return not self.waiting and (may_grow or self.under_way() > 0)

    @rule(moves=st.lists(st.tuples(which, st.booleans()), min_size=2, max_size=8))
    def use(self, moves: list[tuple[int, bool]]) -> None:
        """Take connections and return them, each by a task of its own."""
        for number, dirty in moves:
            self.take(count=1)
            self.agrees()
            self.give(number=number, state="in transaction" if dirty else "idle")
            self.agrees()

    @rule(count=st.integers(1, 4))
    def take(self, count: int) -> None:
        """Take a connection, or be refused one."""
        for _ in range(count):
            timeout_s = PATIENCE_S if self.has_one() else SOON_S
            task = self.begin(self.expected.pool.getconn(timeout_s))
            try:
                # No name for the connection: the traceback of the next refusal would keep it.
                self.expected.took(self.loop.run_until_complete(task), task.get_name())
            except PoolTimeout:
                assert timeout_s == SOON_S and not self.expected.closed
            except PoolClosed:
                assert self.expected.closed
            self.settle()
            self.agrees()

    @rule()
    def wait(self) -> None:
        """Ask a pool that has none, and wait."""
        pool = self.expected.pool
        if self.expected.closed or self.has_one():
            return
        queued = len(pool._waiting)
        task = self.begin(pool.getconn(PATIENCE_S))
        self.waiting.append(task)
        self.until(lambda: len(pool._waiting) > queued or task.done())
        self.settle()

    def settle(self) -> None:
        """Take in which of those that waited have got one, or an end of it; the first to wait is the first served."""
        for task in list(self.waiting):
            if not self.expected.closed and not self.under_way():
                continue
            try:
                self.expected.took(self.loop.run_until_complete(task), task.get_name())
            except PoolClosed:
                assert self.expected.closed
            self.waiting.remove(task)

    @rule(number=which, turns=st.integers(0, 3), give=st.booleans())
    def cancel(self, number: int, turns: int, give: bool) -> None:
        """Cancel a task that waits, alone or with a connection on its way to it."""
        if not self.waiting:
            return
        task = self.waiting.pop(number % len(self.waiting) if not give else 0)

        async def cancel_it() -> None:
            if give and self.expected.out:
                await self.expected.pool.putconn(self.expected.out.pop().conn)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()

        self.do(cancel_it())
        self.came_of(task)
        self.settle()

    @rule(turns=st.integers(0, TURNS))
    def take_and_cancel(self, turns: int) -> None:
        """Cancel a request at any of its first steps."""
        task = self.begin(self.expected.pool.getconn(SOON_S))

        async def cancel_it() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()

        self.do(cancel_it())
        self.came_of(task)
        self.settle()

    def came_of(self, task: asyncio.Task[Any]) -> None:
        """Take in what a task has got in spite of being cancelled."""
        try:
            self.expected.took(self.loop.run_until_complete(task), task.get_name())
        except (asyncio.CancelledError, PoolClosed, PoolTimeout):
            return

    @rule(number=which, state=st.sampled_from(["idle", "idle", "in transaction", "closed", "cut off"]))
    def give(self, number: int, state: str) -> None:
        """Return a connection, in whatever state."""
        if not self.expected.out:
            return
        conn = self.expected.out.pop(number % len(self.expected.out)).conn
        if state == "in transaction":
            self.do(conn.execute("select 1"))
        elif state == "closed":
            self.do(psycopg.AsyncConnection.close(conn))
        elif state == "cut off":
            self.do(_cut_off(conn))
        self.do(self.expected.pool.putconn(conn))
        del conn
        self.settle()

    @rule(number=which)
    def give_twice(self, number: int) -> None:
        """Return a connection twice: the pool refuses the second time."""
        if not self.expected.out or self.waiting:
            return
        conn = self.expected.out.pop(number % len(self.expected.out)).conn
        self.do(self.expected.pool.putconn(conn))
        with refused():
            self.do(self.expected.pool.putconn(conn))

    @rule(number=which)
    def drop(self, number: int) -> None:
        """Forget a connection: its slot is lost."""
        if not self.expected.out:
            return
        self.expected.out.pop(number % len(self.expected.out))
        if not self.expected.closed:
            self.do(_occupy_worker(self.expected.pool))
        gc.collect()
        self.expected.lost += 1

    @precondition(lambda self: not self.expected.closed)
    @rule(sizes=st.tuples(st.integers(0, 3), st.integers(1, 5)))
    def resize(self, sizes: tuple[int, int]) -> None:
        """Make the pool larger or smaller."""
        pool = self.expected.pool
        smallest = 0 if isinstance(pool, AsyncNullConnectionPool) else min(sizes)
        self.do(pool.resize(smallest, max(sizes)))
        self.settle()

    @precondition(lambda self: hasattr(AsyncConnectionPool, "drain") and not self.expected.closed)
    @rule()
    def drain(self) -> None:
        """Have all connections made anew."""
        if not self.waiting:
            self.do(self.expected.pool.drain())

    @precondition(lambda self: not self.expected.closed)
    @rule()
    def check(self) -> None:
        """Have the pool look after its connections."""
        if not self.waiting:
            self.do(self.expected.pool.check())

    @rule(surely=st.integers(0, 9))
    def close(self, surely: int) -> None:
        """Close the pool: who waits gets PoolClosed, and what is out stays out."""
        if not surely:
            self.do(self.expected.pool.close())
            self.expected.closed = True
            self.settle()

    @precondition(lambda self: self.expected.closed)
    @rule()
    def open_again(self) -> None:
        """Open a pool that was closed: it cannot be."""
        try:
            self.do(self.expected.pool.open())
        except psycopg.OperationalError:
            return
        raise AssertionError("the pool opened again")

    @invariant()
    def agrees(self) -> None:
        """The ledger says what the model says."""
        self.expected.compare()
        is_whole()

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop run until a condition holds."""

        async def wait() -> None:
            while not condition():
                await asyncio.sleep(0)

        self.do(asyncio.wait_for(wait(), PATIENCE_S))

    def teardown(self) -> None:
        """Return everything and close: nothing is left."""
        try:
            self.do(self.expected.pool.close())
            self.expected.closed = True
            self.settle()
            while self.expected.out:
                self.do(self.expected.pool.putconn(self.expected.out.pop().conn))
            self.agrees()
            entries = [self.expected.entry()]
        finally:
            self.loop.close()
        del self.expected
        is_forgotten(entries)


async def _occupy_worker(pool: Any) -> None:
    """Give the worker something to do: until then it keeps its last task, and that the connection it returned."""

    class Nothing:
        done = asyncio.Event()

        async def run(self) -> None:
            self.done.set()

    pool.run_task(Nothing())
    await Nothing.done.wait()


async def _cut_off(conn: Any) -> None:
    try:
        await conn.execute("select pg_terminate_backend(pg_backend_pid())")
    except psycopg.Error:
        pass
