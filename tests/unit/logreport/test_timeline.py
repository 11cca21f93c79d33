"""The timeline agrees with a count that takes every change by itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("duckdb")

from poolwitness.logreport import queries
from poolwitness.logreport.store import Store

START = 1_780_000_000_000_000
# Microseconds: close together, so that many fall into one part of a step, and far from each other.
MOMENTS = st.one_of(
    st.integers(0, 50), st.integers(10**9, 10**9 + 10**4), st.integers(0, 10**12), st.just(10**12), st.just(2**40)
)
LIVES = st.none() | st.integers(0, 10**4) | MOMENTS
POOLS = st.one_of(
    st.lists(st.tuples(MOMENTS, LIVES, st.integers(0, 20), st.booleans()), max_size=40),
    st.lists(st.tuples(MOMENTS, LIVES, st.just(0), st.just(True)), max_size=40),
)

Level = tuple[int, ...]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store() as made:
        yield made


def counted(pools: list[tuple[int, int, Level]], length: int) -> dict[int, tuple[Level, Level]]:
    """Step: the most pools, connections and threads at once, and how many there were after it."""
    changes: dict[int, list[Level]] = defaultdict(list)
    for opened, closed, has in pools:
        changes[opened].append(has)
        changes[closed].append(tuple(-number for number in has))
    steps: dict[int, tuple[Level, Level]] = {}
    now: Level = (0, 0, 0)
    for moment in sorted(changes):
        step = int(moment * 96.0 // length)
        most = steps[step][0] if step in steps else None
        now = tuple(map(sum, zip(now, *changes[moment], strict=True)))
        steps[step] = (now if most is None else tuple(map(max, most, now)), now)
    return steps


@settings(max_examples=15, deadline=None)
@given(POOLS)
def test_the_most_at_once_in_each_step(store: Store, drawn: list[tuple[int, int | None, int, bool]]) -> None:
    for table in ("lifecycle_events", "other_events"):
        store.connection.execute(f"DELETE FROM {table}")
    pools: list[tuple[int, int, Level]] = []
    rows = []
    last = max([opened + (after or 0) for opened, after, _, _ in drawn], default=0) + 1
    for number, (opened, after, connections, is_async) in enumerate(drawn, 1):
        closed = last if after is None else max(opened + after, opened + 1)
        pools.append((opened, closed, (1, connections, 0 if is_async else 4)))
        kind = "AsyncConnectionPool" if is_async else "ConnectionPool"
        rows.append((opened, "poolwitness.pool.opened", number, kind, connections))
        if after is not None:
            rows.append((opened + after, "poolwitness.pool.closed", number, kind, connections))
    rows.append((last, "poolwitness.verdict", 0, "", 0))
    rows.append((0, "poolwitness.agent.started", 0, "", 0))
    for moment, *others in rows:
        store.connection.execute(
            "INSERT INTO lifecycle_events VALUES (?, ?, 'a:1', 'a', 1, 'shop', ?, ?, '', '', ?, 0, 0, 0, 0)",
            (START + moment, *others),
        )
    names = ("pools", "connections", "threads")
    answered = {
        row["step"]: tuple(tuple(int(row[f"{name}{end}"]) for name in names) for end in ("", "_after"))
        for row in store.rows(queries.sql("timeline"))
    }
    assert answered == counted(pools, last + 1)
