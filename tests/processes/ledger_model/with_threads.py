"""Random lives of sync pools, used by threads."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from psycopg_pool import ConnectionPool, NullConnectionPool, PoolClosed, PoolTimeout

from tests.processes.ledger_model.actors import PATIENCE_S, Actor
from tests.processes.ledger_model.expected import Expected, is_forgotten, is_whole, refused

NAMES = ("anna", "ben", "cleo")
SOON_S = 0.02

which = st.integers(0, 11)


class WithThreads(RuleBasedStateMachine):
    """Two pools, three threads that take and return, and what they may do to the pools meanwhile."""

    dsn = ""

    def __init__(self) -> None:
        super().__init__()
        self.actors = [Actor(name) for name in NAMES]
        self.expected: list[Expected] = []
        self.waiting: list[tuple[Expected, Actor, Future[Any]]] = []

    @initialize(sizes=st.tuples(st.integers(0, 2), st.integers(1, 4)), null=st.booleans())
    def make(self, sizes: tuple[int, int], null: bool) -> None:
        """The pools: the second one is there to be confused with."""
        cls: Any = NullConnectionPool if null else ConnectionPool
        smallest, largest = (0, sizes[1]) if null else (min(sizes), max(sizes))
        for name in ("first", "second"):
            pool = cls(self.dsn, min_size=smallest, max_size=largest, name=name, num_workers=1, open=True)
            self.expected.append(Expected(pool))
            smallest, largest = 0, 1

    def actor(self, number: int) -> Actor | None:
        """One that does not wait for a connection."""
        waiting = [actor for _, actor, _ in self.waiting]
        free = [actor for actor in self.actors if actor not in waiting]
        return free[number % len(free)] if free else None

    def under_way(self, expected: Expected) -> int:
        """How many connections are being made, or are on their way to somebody; a lost one the pool counts for ever."""
        pool = expected.pool
        return int(pool._nconns) - len(pool._pool) - len(expected.out) - expected.lost

    def has_one(self, expected: Expected) -> bool:
        """Whether the pool would give a connection to one more."""
        pool = expected.pool
        may_grow = pool._nconns < pool._max_size
        if len(pool._pool) or (may_grow and isinstance(pool, NullConnectionPool)):
            return True
        queued = any(other is expected for other, _, _ in self.waiting)
        return not queued and (may_grow or self.under_way(expected) > 0)

    @rule(moves=st.lists(st.tuples(st.integers(0, 3), which, which), min_size=2, max_size=8))
    def use(self, moves: list[tuple[int, int, int]]) -> None:
        """Take connections and return them, each by whoever."""
        for pool, taker, giver in moves:
            self.take_one(taker, pool)
            self.agrees()
            self.give(number=giver, by=giver + 1, state="idle")
            self.agrees()

    @rule(takers=st.lists(which, min_size=1, max_size=4), pool=st.integers(0, 3))
    def take(self, takers: list[int], pool: int) -> None:
        """Take connections."""
        for number in takers:
            self.take_one(number, pool)
            self.agrees()

    def take_one(self, number: int, pool: int) -> None:
        """Take a connection, or be refused one."""
        expected, actor = self.expected[pool == 3], self.actor(number)
        if actor is None:
            return
        timeout_s = PATIENCE_S if self.has_one(expected) else SOON_S
        try:
            conn = actor.do(lambda: expected.pool.getconn(timeout_s))
        except PoolTimeout:
            assert timeout_s == SOON_S and not expected.closed
        except PoolClosed:
            assert expected.closed
        else:
            expected.took(conn, actor.name)
        # The request may have made the pool grow, for one that has waited for longer.
        self.settle()

    @rule(number=which)
    def wait(self, number: int) -> None:
        """Ask a pool that has none, and wait."""
        expected, actor = self.expected[0], self.actor(number)
        if actor is None or expected.closed or self.has_one(expected):
            return
        pool = expected.pool
        queued = len(pool._waiting)
        future = actor.begin(lambda: pool.getconn(PATIENCE_S))
        self.waiting.append((expected, actor, future))
        _until(lambda: len(pool._waiting) > queued or future.done())
        self.settle()

    def settle(self) -> None:
        """Take in which of those that waited have got one, or an end of it; the first to wait is the first served."""
        for job in list(self.waiting):
            expected, actor, future = job
            if not expected.closed and not self.under_way(expected):
                continue
            try:
                conn = future.result(PATIENCE_S)
            except PoolClosed:
                assert expected.closed
            else:
                expected.took(conn, actor.name)
            self.waiting.remove(job)

    def pick(self, number: int) -> tuple[Expected, Any, str] | None:
        """One of the connections that are out, taken off the model."""
        choice = [(expected, held) for expected in self.expected for held in expected.out]
        if not choice:
            return None
        expected, held = choice[number % len(choice)]
        expected.out.remove(held)
        return expected, held.conn, held.holder

    @rule(number=which, by=which, state=st.sampled_from(["idle", "idle", "in transaction", "closed", "cut off"]))
    def give(self, number: int, by: int, state: str) -> None:
        """Return a connection: by whoever, and in whatever state."""
        actor = self.actor(by)
        picked = self.pick(number) if actor is not None else None
        if actor is None or picked is None:
            return
        expected, conn, _ = picked
        if state == "in transaction":
            conn.execute("select 1")
        elif state == "closed":
            psycopg.Connection.close(conn)
        elif state == "cut off":
            _cut_off(conn)
        actor.do(lambda: expected.pool.putconn(conn))
        self.settle()

    @rule(number=which)
    def give_twice(self, number: int) -> None:
        """Return a connection twice: the pool refuses the second time."""
        picked = self.pick(number) if not self.waiting else None
        if picked is None:
            return
        expected, conn, _ = picked
        expected.pool.putconn(conn)
        with refused():
            expected.pool.putconn(conn)

    @rule(number=which)
    def give_to_the_other(self, number: int) -> None:
        """Return a connection to the wrong pool: it refuses, and the connection stays out."""
        picked = self.pick(number)
        if picked is None:
            return
        expected, conn, holder = picked
        other = next(each for each in self.expected if each is not expected)
        with refused():
            other.pool.putconn(conn)
        expected.took(conn, holder)

    @rule(number=which, in_cycle=st.booleans(), take=st.booleans())
    def drop(self, number: int, in_cycle: bool, take: bool) -> None:
        """Forget a connection: its slot is lost. The next one may lie at the same address."""
        picked = self.pick(number)
        if picked is None:
            return
        expected, conn, _ = picked
        if in_cycle:
            cycle: list[Any] = [conn]
            cycle.append(cycle)
            del cycle
        del picked, conn
        gc.collect()
        expected.lost += 1
        if take:
            self.take_one(number, 0)

    @precondition(lambda self: not self.expected[0].closed)
    @rule(sizes=st.tuples(st.integers(0, 3), st.integers(1, 5)))
    def resize(self, sizes: tuple[int, int]) -> None:
        """Make the first pool larger or smaller."""
        pool = self.expected[0].pool
        smallest = 0 if isinstance(pool, NullConnectionPool) else min(sizes)
        pool.resize(smallest, max(sizes))
        self.settle()

    @precondition(lambda self: hasattr(ConnectionPool, "drain") and not self.expected[0].closed)
    @rule()
    def drain(self) -> None:
        """Have all connections made anew."""
        if not self.waiting:
            self.expected[0].pool.drain()

    @precondition(lambda self: not self.expected[0].closed)
    @rule()
    def check(self) -> None:
        """Have the pool look after its connections."""
        if not self.waiting:
            self.expected[0].pool.check()

    @rule(pool=st.sampled_from([0, 1, 1]), surely=st.integers(0, 3))
    def close(self, pool: int, surely: int) -> None:
        """Close a pool: who waits gets PoolClosed, and what is out stays out."""
        expected = self.expected[pool]
        if surely and not expected.closed:
            return
        expected.pool.close()
        expected.closed = True
        self.settle()

    @precondition(lambda self: self.expected[0].closed)
    @rule()
    def open_again(self) -> None:
        """Open a pool that was closed: it cannot be."""
        try:
            self.expected[0].pool.open()
        except psycopg.OperationalError:
            return
        raise AssertionError("the pool opened again")

    @invariant()
    def agrees(self) -> None:
        """The ledger says what the model says."""
        for expected in self.expected:
            expected.compare()
        is_whole()

    def teardown(self) -> None:
        """Return everything and close: nothing is left."""
        for expected in self.expected:
            expected.pool.close()
            expected.closed = True
        self.settle()
        for expected in self.expected:
            while expected.out:
                expected.pool.putconn(expected.out.pop().conn)
        self.agrees()
        for actor in self.actors:
            actor.end()
        entries = [expected.entry() for expected in self.expected]
        self.expected.clear()
        del expected
        is_forgotten(entries)


def _cut_off(conn: Any) -> None:
    try:
        conn.execute("select pg_terminate_backend(pg_backend_pid())")
    except psycopg.Error:
        pass


def _until(condition: Callable[[], bool]) -> None:
    deadline_mono = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_mono
        time.sleep(0.001)
