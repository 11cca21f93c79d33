"""Every rule three times on hand-made snapshots: silent before the fault, reported during it, silent after."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from poolwitness.config import Config
from poolwitness.diagnose.lifecycle import CROWD, exit_delayed, expected_exit_delay_s
from poolwitness.diagnose.pages import page
from poolwitness.diagnose.registry import RULES, is_ignored, run_rules
from poolwitness.model.findings import Finding, fingerprint
from poolwitness.model.records import (
    CheckoutFault,
    ConnectError,
    ConnectRecord,
    Crossing,
    Database,
    Ending,
    Exhaustion,
    PoolRecord,
    Snapshot,
    Stack,
    UseAfterClose,
    WorkerRecord,
)
from tests.support.snapshots import (
    NOW,
    THREADS,
    async_pool,
    changed,
    checkout,
    closed,
    frame,
    pool,
    snapshot,
    stack,
    worker,
)


@dataclass(frozen=True)
class RuleCase:
    """Three moments of one program; ``line`` is the line to open first, ``says`` what the sentence must name."""

    name: str
    code: str
    before: Snapshot
    during: Snapshot
    after: Snapshot
    line: int
    says: tuple[str, ...]
    times: int = 1


def _lost() -> PoolRecord:
    return pool(lost=(checkout(lost=True, lost_from_open=True, status="closed"),))


def _fault(kind: str) -> PoolRecord:
    seen = CheckoutFault(kind, stack(30, function="handle"), stack(40, function="finish"), "thread 'Thread-1'", 0.5, 2)
    return pool(faults=(seen,))


def _failing() -> PoolRecord:
    error = ConnectError("OperationalError", "28P01", "password_rejected", 3, NOW - 5, NOW)
    return pool(connects=ConnectRecord(attempts=3, failures=3, failing=True, errors=(error,)))


def _exhausted() -> PoolRecord:
    episode = Exhaustion(1, "PoolTimeout", stack(50, function="ask"), 30.0, "Thread-9", 1, 30.0)
    held = tuple(checkout(id=number, held_s=40.0 - number, status="idle in transaction") for number in range(1, 5))
    return pool(exhaustion=episode, checkouts=held)


def _crowd(size: int, each_its_line: bool = False) -> tuple[PoolRecord, ...]:
    return tuple(pool(id=number, created=stack(10 + number * each_its_line)) for number in range(size))


def _on_other_loop(ended: bool) -> Crossing:
    return Crossing(stack(30, function="handle"), "used", 1, "", "ALoop in Main", "BLoop in T", ended)


def _ending(**fields: Any) -> Ending:
    usual: dict[str, Any] = {
        "kind": "threads",
        "since_mono": 900.0,
        "seconds": 12.5,
        "quiet_s": 12.5,
        "waits_for": "thread 'flusher'",
        "where": stack(80, function="flush"),
        "count": 2,
        "pool_id": 1,
    }
    return Ending(**{**usual, **fields})


CASES = [
    RuleCase(
        "never closed",
        "PW001",
        snapshot(pool()),
        snapshot(pool(), moment="verdict"),
        snapshot(closed(pool()), moment="verdict"),
        10,
        ("'shop'", "db.py:10", "never closed", "20 s", "4 threads", "expect"),
    ),
    RuleCase(
        "an async pool never closed",
        "PW001",
        snapshot(async_pool()),
        snapshot(async_pool(), moment="verdict"),
        snapshot(closed(async_pool()), moment="verdict"),
        10,
        ("'shop'", "never closed"),
    ),
    RuleCase(
        "dropped open",
        "PW002",
        snapshot(pool()),
        snapshot(pool(state="dropped")),
        snapshot(closed(pool())),
        10,
        ("'shop'", "db.py:10", "garbage-collected"),
    ),
    RuleCase(
        "used after close",
        "PW005",
        snapshot(closed(pool())),
        snapshot(changed(closed(pool()), use_after_close=UseAfterClose(stack(30, function="handle"), 2))),
        snapshot(closed(pool(id=2))),
        20,
        ("'shop'", "db.py:20 in shut_down", "db.py:30 in handle", "PoolClosed"),
    ),
    RuleCase(
        "async, opened in its constructor",
        "PW006",
        snapshot(async_pool(state="new", opened_at=None, opened=None)),
        snapshot(async_pool(opened_in_constructor=True, open_explicit=True)),
        snapshot(async_pool(opened_in_constructor=True, open_confirmed=True)),
        10,
        ("'shop'", "db.py:10", "constructor"),
    ),
    RuleCase(
        "async, opened by default and used",
        "PW006",
        snapshot(async_pool(opened_in_constructor=True, stats={})),
        snapshot(async_pool(opened_in_constructor=True, stats={"requests_num": 1})),
        snapshot(async_pool(opened_in_constructor=True, open_confirmed=True, stats={"requests_num": 1})),
        10,
        ("'shop'", "constructor"),
    ),
    RuleCase(
        "a crowd of one line",
        "PW007",
        snapshot(*_crowd(CROWD - 1)),
        snapshot(*_crowd(CROWD)),
        snapshot(*(closed(one) for one in _crowd(CROWD))),
        10,
        ("10 pools", "db.py:10", "40 connections"),
    ),
    RuleCase(
        "a crowd of one database",
        "PW007",
        snapshot(
            *(changed(one, database=Database(dbname=f"shop{one.info.id}")) for one in _crowd(CROWD, each_its_line=True))
        ),
        snapshot(*_crowd(CROWD, each_its_line=True)),
        snapshot(*_crowd(CROWD - 1, each_its_line=True)),
        10,
        ("10 pools", "same database", "10 lines"),
    ),
    RuleCase(
        "a lost slot",
        "PW101",
        snapshot(pool(checkouts=(checkout(),))),
        snapshot(_lost()),
        snapshot(pool()),
        30,
        ("'shop'", "db.py:30 in handle", "3 of 4 slots"),
    ),
    RuleCase(
        "out at the verdict",
        "PW102",
        snapshot(pool(checkouts=(checkout(),))),
        snapshot(changed(closed(pool()), checkouts=(checkout(),)), moment="verdict"),
        snapshot(closed(pool()), moment="verdict"),
        30,
        ("'shop'", "db.py:30 in handle", "never returned"),
    ),
    RuleCase(
        "held by a thread that has ended",
        "PW102",
        snapshot(pool(checkouts=(checkout(held_s=29.0, holder_alive=False),))),
        snapshot(pool(checkouts=(checkout(held_s=31.0, idle_s=31.0, holder_alive=False),))),
        snapshot(pool()),
        30,
        ("'shop'", "has ended", "'Thread-1'"),
    ),
    RuleCase(
        "out after its pool was closed",
        "PW102",
        snapshot(changed(closed(pool()), closed_at=NOW - 1, checkouts=(checkout(),))),
        snapshot(changed(closed(pool()), closed_at=NOW - 9, closed=stack(70), checkouts=(checkout(),))),
        snapshot(closed(pool())),
        30,
        ("'shop'", "has not been returned", "9 s after its pool was closed at /srv/shop/db.py:70"),
    ),
    RuleCase(
        "held long",
        "PW103",
        snapshot(pool(checkouts=(checkout(held_s=29.0, idle_s=29.0),))),
        snapshot(pool(checkouts=(checkout(held_s=31.0, idle_s=31.0, status="idle in transaction"),))),
        snapshot(pool(checkouts=(checkout(held_s=31.0, idle_s=0.1),))),
        30,
        ("'shop'", "31.0 s", "idle in transaction", "'Thread-1'"),
    ),
    RuleCase(
        "returned in a transaction",
        "PW104",
        snapshot(pool()),
        snapshot(_fault("in_transaction")),
        snapshot(pool(id=2)),
        40,
        ("'shop'", "db.py:30 in handle", "db.py:40 in finish", "rolled it back"),
    ),
    RuleCase(
        "returned broken",
        "PW105",
        snapshot(pool()),
        snapshot(_fault("broken")),
        snapshot(pool(id=2)),
        30,
        ("'shop'", "db.py:40 in finish", "closed, broken"),
    ),
    RuleCase(
        "a second connection of one holder",
        "PW106",
        snapshot(pool()),
        snapshot(_fault("nested")),
        snapshot(pool(id=2)),
        40,
        ("'shop'", "db.py:30 in handle", "'Thread-1'"),
    ),
    RuleCase(
        "slots that nobody has",
        "PW107",
        snapshot(pool()),
        snapshot(pool(unaccounted=2)),
        snapshot(closed(pool(unaccounted=2))),
        10,
        ("'shop'", "4 connections", "2 of them"),
    ),
    RuleCase(
        "exhausted",
        "PW201",
        snapshot(pool(checkouts=(checkout(),))),
        snapshot(_exhausted()),
        snapshot(pool()),
        30,
        ("'shop'", "db.py:50 in ask", "PoolTimeout", "4 of 4 connections", "39.0 s"),
    ),
    RuleCase(
        "connecting fails",
        "PW202",
        snapshot(pool(connects=ConnectRecord(attempts=4))),
        snapshot(_failing()),
        snapshot(pool(connects=ConnectRecord(attempts=5, failures=3))),
        10,
        ("'shop'", "28P01", "the server rejected the password"),
    ),
    RuleCase(
        "connecting is slow",
        "PW203",
        snapshot(pool(connects=ConnectRecord(attempts=4, connect_s=0.9))),
        snapshot(pool(connects=ConnectRecord(attempts=4, connect_s=2.5))),
        snapshot(pool(connects=ConnectRecord(attempts=9, connect_s=0.3))),
        10,
        ("'shop'", "2.5 s"),
    ),
    RuleCase(
        "adapters outside configure",
        "PW204",
        snapshot(pool()),
        snapshot(pool(adapters=((stack(60, function="handle"), 20),))),
        snapshot(pool()),
        60,
        ("'shop'", "db.py:60 in handle", "20 times"),
    ),
    RuleCase(
        "a worker died of an exception",
        "PW301",
        snapshot(pool()),
        snapshot(pool(workers=(worker(error_type="Empty"), *THREADS[1:]))),
        snapshot(closed(pool(workers=(worker(error_type="Empty"), *THREADS[1:])))),
        10,
        ("'shop'", "'shop-worker-0'", "Empty", "2 workers of 3"),
    ),
    RuleCase(
        "all threads died unseen",
        "PW301",
        snapshot(pool(workers=())),
        snapshot(pool(workers=tuple(thread._replace(alive=False) for thread in THREADS))),
        snapshot(closed(pool(workers=tuple(thread._replace(alive=False) for thread in THREADS)))),
        10,
        ("'shop'", "without an exception"),
        times=4,
    ),
    *(
        RuleCase(
            f"{use} in a child",
            "PW401",
            snapshot(pool(pid=7, inherited=True)),
            snapshot(pool(pid=7, inherited=True, crossed_fork=Crossing(stack(30, function="handle"), use, 2))),
            snapshot(pool(pid=1)),
            30,
            ("'shop'", "db.py:10 in make_pool", "process 7", f"{use} at", "db.py:30 in handle", "child 1", why),
        )
        for use, why in (
            ("used", "mix their messages"),
            ("waited for", "nobody fills it"),
            ("closed", "ends the parent's sessions"),
            ("drained", "ends the parent's sessions"),
            ("checked", "mix their messages"),
            ("given a connection back", "share its sockets"),
        )
    ),
    RuleCase(
        "used on another loop",
        "PW402",
        snapshot(async_pool()),
        snapshot(async_pool(crossed_loops=_on_other_loop(ended=False))),
        snapshot(async_pool(id=2)),
        30,
        (
            "'shop'",
            "db.py:10 in make_pool on the loop ALoop in Main,",
            "db.py:30 in handle",
            "another loop, BLoop in T",
        ),
    ),
    RuleCase(
        "used after its loop had ended",
        "PW402",
        snapshot(async_pool()),
        snapshot(async_pool(crossed_loops=_on_other_loop(ended=True), exhaustion=_exhausted().exhaustion)),
        snapshot(closed(async_pool())),
        30,
        ("'shop'", "ALoop in Main, which has ended,", "db.py:30 in handle"),
    ),
    RuleCase(
        "a worker in a callback that does not return",
        "PW302",
        snapshot(pool(workers=(worker(task="AddConnection", busy_s=29.0), *THREADS[1:]))),
        snapshot(
            pool(
                workers=(
                    worker(task="AddConnection", busy_s=31.5, where=stack(70, function="configure")),
                    *THREADS[1:],
                )
            )
        ),
        snapshot(pool()),
        10,
        ("'shop'", "'shop-worker-0'", "making a connection", "31.5 s", "db.py:70 in configure", "1 of 3 workers busy"),
    ),
    RuleCase(
        "a worker that does not come back from a connect",
        "PW302",
        snapshot(async_pool(workers=(worker(task="AddConnection", busy_s=3.0),))),
        snapshot(
            async_pool(
                workers=(
                    worker(
                        task="AddConnection",
                        busy_s=131.0,
                        where=Stack((frame(1, "/p/psycopg/connection.py", "connect", "psycopg"),), None),
                    ),
                )
            )
        ),
        snapshot(closed(async_pool(workers=(worker(task="AddConnection", busy_s=131.0),)))),
        10,
        ("'shop'", "131.0 s", "now connecting"),
    ),
    RuleCase(
        "a thread that is waited for at the end",
        "PW004",
        snapshot(pool())._replace(ending=_ending(quiet_s=9.0)),
        snapshot(pool())._replace(ending=_ending()),
        snapshot(pool()),
        80,
        ("12.5 s", "thread 'flusher' and 1 more", "db.py:80 in flush", "'shop'", "db.py:10", "atexit"),
    ),
    RuleCase(
        "an exception at the end, and a thread that uses the pool",
        "PW004",
        snapshot(pool())._replace(ending=_ending(quiet_s=0.0)),
        snapshot(pool())._replace(ending=_ending(quiet_s=0.0, exception="KeyboardInterrupt")),
        snapshot(pool())._replace(ending=_ending(quiet_s=0.0, seconds=9.0, exception="KeyboardInterrupt")),
        80,
        ("12.5 s", "of KeyboardInterrupt"),
    ),
    RuleCase(
        "a worker that asyncio.run waits for",
        "PW004",
        snapshot(async_pool()),
        snapshot(async_pool())._replace(
            ending=_ending(kind="tasks", waits_for="task 'shop-worker-0'", waits_for_pool=True, where=None),
        ),
        snapshot(async_pool())._replace(ending=_ending(kind="tasks", seconds=0.1, quiet_s=0.1)),
        10,
        ("asyncio.run", "12.5 s", "task 'shop-worker-0'", "'shop'", "db.py:10"),
    ),
    RuleCase(
        "a pool as old as the fault of its release",
        "PW501",
        snapshot(pool(), psycopg_pool=(3, 3, 2)),
        snapshot(pool(opened_at=NOW - 4000), psycopg_pool=(3, 3, 2)),
        snapshot(pool(opened_at=NOW - 4000), psycopg_pool=(3, 3, 3)),
        10,
        ("'shop'", "psycopg_pool 3.3.2", "psycopg issue 1419"),
    ),
    RuleCase(
        "opened by two threads",
        "PW501",
        snapshot(pool(opened_by_threads=1), psycopg_pool=(3, 3, 0)),
        snapshot(pool(opened_by_threads=2), psycopg_pool=(3, 3, 0)),
        snapshot(pool(opened_by_threads=2), psycopg_pool=(3, 3, 1)),
        10,
        ("'shop'", "psycopg_pool 3.3.0", "psycopg issue 1300"),
    ),
    RuleCase(
        "an async pool that checks",
        "PW501",
        snapshot(async_pool(), psycopg_pool=(3, 2, 7)),
        snapshot(async_pool(has_check=True), psycopg_pool=(3, 2, 7)),
        snapshot(async_pool(has_check=True), psycopg_pool=(3, 2, 8)),
        10,
        ("'shop'", "psycopg_pool 3.2.7"),
    ),
]
# Measured where no snapshot can be taken any more: `exit_delayed` alone tells it.
MEASURED = {"PW003"}


def found(taken: Snapshot, *ignore: str) -> list[Finding]:
    """What all the rules say."""
    return run_rules(taken, Config(ignore=ignore))[0]


def only(case: RuleCase) -> Finding:
    """The first finding of the loud beat."""
    return found(case.during)[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.name}")
def test_silent_loud_silent(case: RuleCase) -> None:
    assert found(case.before) == []
    loud = found(case.during)
    assert [finding.rule.code for finding in loud] == [case.code] * case.times
    assert found(case.after) == []
    finding = loud[0]
    assert finding.at is not None
    assert finding.at.line == case.line
    for words in case.says:
        assert words in finding.message, f"{words!r} is not in {finding.message!r}"
    assert "\n" not in finding.message + finding.fix
    assert finding.fix


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.name}")
def test_findings_add_only_declared_fields(case: RuleCase) -> None:
    for finding in found(case.during):
        assert finding.key[0] == finding.rule.code
        assert set(finding.extra) <= set(finding.rule.fields)


def test_every_rule_has_its_beats_and_its_page() -> None:
    assert {case.code for case in CASES} | MEASURED == set(RULES)
    for code, rule in RULES.items():
        assert rule.name in page(code).splitlines()[0]


# Which is about the parent's pools, and of what the child did to them.
OF_A_CHILD = {"PW401"}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.code not in OF_A_CHILD],
    ids=lambda case: f"{case.code} {case.name}",
)
def test_what_a_parent_did_is_not_told_by_its_child(case: RuleCase) -> None:
    inherited = case.during._replace(pools=tuple(changed(one, inherited=True) for one in case.during.pools))
    assert found(inherited) == []


def test_no_pool_no_finding() -> None:
    for moment in ("event", "sweep", "verdict"):
        assert found(snapshot(moment=moment, psycopg_pool=(3, 2, 0))) == []


def test_rules_neither_change_nor_remember() -> None:
    for case in CASES:
        assert found(case.during) == found(case.during)


def test_a_transaction_cut_off_in_django_has_the_advice_of_django() -> None:
    """Nobody calls putconn() there: it is the connection's close() inside of atomic() that loses the work."""
    (plain,), _ = run_rules(snapshot(_fault("in_transaction")), Config())
    (django,), _ = run_rules(snapshot(changed(_fault("in_transaction"), django_alias="orders")), Config())
    assert "putconn()" in plain.fix
    assert "putconn()" not in django.fix
    assert "connections['orders'].close()" in django.fix
    assert "transaction.atomic()" in django.fix


@pytest.mark.parametrize(
    "seen",
    [
        snapshot(async_pool(lost=(checkout(lost=True, lost_from_open=True),))),
        snapshot(async_pool(checkouts=(checkout(),)), moment="verdict"),
        snapshot(async_pool(faults=_fault("in_transaction").misuse.faults)),
        snapshot(async_pool(state="dropped")),
    ],
    ids=["PW101", "PW102", "PW104", "PW002"],
)
def test_the_advice_for_an_async_pool_is_async(seen: Snapshot) -> None:
    findings = [finding for finding in found(seen) if finding.rule.code != "PW001"]
    assert findings and all("`async with" in finding.fix for finding in findings), findings


def test_a_crowd_adds_up_what_each_may_take() -> None:
    def told(*sizes: int | None) -> str:
        crowd = tuple(changed(one, max_size=size, min_size=0) for one, size in zip(_crowd(CROWD), sizes, strict=True))
        (finding,) = found(snapshot(*crowd))
        return finding.message

    assert "take 55 connections of the server and run 40 threads" in told(*range(1, CROWD + 1))
    assert "take any number of connections" in told(*range(CROWD))


def test_a_pool_without_a_limit_never_runs_out_by_nesting() -> None:
    nested = _fault("nested")
    assert found(snapshot(nested)) and not found(snapshot(nested._replace(max_size=0, min_size=0)))


def test_keys_tell_faults_apart() -> None:
    two = snapshot(pool(id=1), pool(id=2), moment="verdict")
    assert len({finding.key for finding in found(two)}) == 2
    dead = snapshot(pool(workers=(worker("a", alive=False), worker("b", alive=False))))
    assert len({finding.key for finding in found(dead)}) == 2


@pytest.mark.parametrize(
    ("python", "expected_s", "words"),
    [((3, 12, 1), 0.0, "dropped"), ((3, 13, 0), 20.0, "about 20 s"), ((3, 14, 0), 0.0, "PythonFinalizationError")],
)
def test_an_expected_delay_is_called_an_expectation(
    python: tuple[int, int, int], expected_s: float, words: str
) -> None:
    (finding,) = found(snapshot(pool(), moment="verdict", python=python))
    assert finding.extra["poolwitness.expected_exit_delay_s"] == expected_s
    assert words in finding.message
    assert ("expectation" in finding.message) == (python >= (3, 13))


def test_greenlets_delay_no_exit() -> None:
    seen = snapshot(pool(), moment="verdict")
    assert expected_exit_delay_s(pool(), seen.process._replace(python=(3, 13, 0))) > 0
    for python in ((3, 12, 0), (3, 13, 0), (3, 14, 0)):
        process = seen.process._replace(python=python, greenlets=True)
        (finding,) = found(seen._replace(process=process))
        assert finding.extra["poolwitness.expected_exit_delay_s"] == 0.0
        assert "its server connections are dropped without a goodbye" in finding.message


def test_only_live_threads_delay_an_exit() -> None:
    half = pool(workers=(worker("a"), worker("b", alive=False)))
    assert expected_exit_delay_s(half, snapshot(python=(3, 13, 0)).process) == 5.0
    assert expected_exit_delay_s(async_pool(workers=(worker("a"),)), snapshot(python=(3, 13, 0)).process) == 0.0


@pytest.mark.parametrize(
    ("under", "words"),
    [
        ("gunicorn", "post_fork"),
        ("celery", "worker_process_init"),
        ("uwsgi", "postfork"),
        ("multiprocessing", "initializer="),
        ("", "after the fork"),
    ],
)
def test_the_advice_after_a_fork_is_that_of_the_server(under: str, words: str) -> None:
    for use in ("used", "closed"):
        crossing = Crossing(stack(30), use, 1, under)
        (finding,) = found(snapshot(pool(inherited=True, crossed_fork=crossing)))
        assert words in finding.fix
        assert finding.extra.get("poolwitness.forked_by", "") == under


def test_a_pool_closed_by_atexit_in_a_child_leads_to_the_line_that_opened_it() -> None:
    crossing = Crossing(Stack((), None), "closed", 1)
    (finding,) = found(snapshot(pool(inherited=True, crossed_fork=crossing)))
    assert finding.at == stack(10).origin
    assert "closed at exit by its forked child" in finding.message


@pytest.mark.parametrize(
    ("workers", "version", "words"),
    [
        ((*THREADS[:2], worker("shop-worker-2", alive=False, error_type="SystemExit")), (3, 3, 3), "shop-worker-2"),
        (THREADS, (3, 2, 7), "upgrade psycopg_pool"),
        (THREADS, (3, 3, 3), "pool._pool"),
    ],
    ids=["a worker died", "an old release", "a new release"],
)
def test_the_advice_on_slots_that_nobody_has_is_for_this_program(
    workers: tuple[WorkerRecord, ...], version: tuple[int, ...], words: str
) -> None:
    seen = snapshot(pool(unaccounted=1, workers=workers))
    process = seen.process._replace(versions={**seen.process.versions, "psycopg_pool": version})
    (finding,) = (each for each in found(seen._replace(process=process)) if each.rule.code == "PW107")
    assert words in finding.fix
    assert ("poolwitness.related" in finding.extra) == ("worker" in words)


def test_a_pool_that_is_held_empty_is_exhausted_on_any_loop() -> None:
    held = changed(_exhausted(), crossed_loops=_on_other_loop(ended=False))
    assert sorted(finding.rule.code for finding in found(snapshot(held))) == ["PW201", "PW402"]


def test_a_measured_delay_is_called_measured() -> None:
    delayed = exit_delayed(pool(), (3, 13, 0), "10.0", "")
    assert "10.0 s (measured)" in delayed.message
    assert delayed.severity == "error"
    raised = exit_delayed(pool(), (3, 14, 0), "0.0", "PythonFinalizationError")
    assert "raised PythonFinalizationError" in raised.message
    assert raised.severity == "warning"
    assert delayed.extra["poolwitness.related"] == ["PW001"]
    assert set(delayed.extra) <= set(delayed.rule.fields)


@pytest.mark.parametrize("exception", ["", "PythonFinalizationError"])
def test_a_pool_of_an_unknown_line_is_still_told(exception: str) -> None:
    nowhere = pool(created=Stack((), None))
    assert "an unknown line" in exit_delayed(nowhere, (3, 14, 0), "0", exception).message
    (finding,) = found(snapshot(nowhere, moment="verdict"))
    assert "an unknown line" in finding.message
    assert re.fullmatch("[0-9a-f]{16}", finding.fingerprint)


def test_a_pools_name_is_shown_as_a_literal_and_cut() -> None:
    (finding,) = found(snapshot(pool(name="a\nb" + "x" * 1_000_000), moment="verdict"))
    assert "\n" not in finding.message
    assert len(finding.message) < 1000


FAULT = only(CASES[0])


@pytest.mark.parametrize(
    "pattern",
    [
        "PW001",
        "pw001",
        "pool-never-closed",
        "PW001:*",
        "PW001:*/db.py",
        "PW001:/srv/shop/*",
        "pw001:/srv/shop/db.py",
        FAULT.fingerprint,
        FAULT.fingerprint.upper(),
    ],
)
def test_a_pattern_that_names_a_finding_silences_it(pattern: str) -> None:
    assert is_ignored(FAULT, ("PW999", pattern))
    kept, ignored = run_rules(CASES[0].during, Config(ignore=(pattern,)))
    assert (kept, [finding.key for finding in ignored]) == ([], [FAULT.key])


@pytest.mark.parametrize(
    "pattern",
    [
        "PW002",
        "PW00",
        "PW001:*/app.py",
        "PW001:",
        "PW002:*",
        "PW*",
        "shop",
        "never-closed",
        FAULT.fingerprint[:15],
        ":",
        "*",
    ],
)
def test_a_pattern_that_names_another_silences_nothing(pattern: str) -> None:
    assert not is_ignored(FAULT, (pattern,))


def test_a_relative_path_may_be_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = os.getcwd()
    (finding,) = found(snapshot(pool(created=stack(10, f"{here}/app/db.py")), moment="verdict"))
    assert "made at app/db.py:10" in finding.message
    assert is_ignored(finding, ("PW001:app/*",))
    assert is_ignored(finding, (f"PW001:{here}/app/*",))


def test_a_finding_without_a_line_is_ignored_by_its_rule_only() -> None:
    (finding,) = found(snapshot(pool(created=Stack((), None)), moment="verdict"))
    assert is_ignored(finding, ("PW001",))
    assert not is_ignored(finding, ("PW001:*",))


def fingerprint_of(made: Stack, **fields: Any) -> str:
    """The fingerprint of PW001 for a pool made there."""
    (finding,) = found(snapshot(pool(created=made, **fields), moment="verdict"))
    return finding.fingerprint


def test_a_fingerprint_survives_a_deployment() -> None:
    first = fingerprint_of(stack(10))
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert fingerprint_of(stack(99)) == first, "a line number"
    assert fingerprint_of(stack(10, "/releases/7/shop/db.py", folder="/releases/7/shop")) == first, "a folder"
    assert fingerprint_of(stack(10), id=7, name="other", pid=9, database=Database()) == first, "another process"
    library = stack(10)
    deeper = Stack((library.frames[0], library.frames[1]._replace(line=8), *library.frames[1:]), library.origin)
    assert fingerprint_of(deeper) == first, "a library's frames"


@pytest.mark.parametrize(
    ("code", "cls", "made", "digits"),
    [
        ("PW001", "psycopg_pool.ConnectionPool", stack(10), "a2901412f613de16"),
        ("PW201", "", None, "f463ec062eb762b2"),
        ("PW101", "shop.Pöl", stack(10, function="\udc80ö"), "48d8ae2a3ff58fcf"),
    ],
)
def test_a_fingerprint_is_the_same_in_every_release(code: str, cls: str, made: Stack | None, digits: str) -> None:
    """Users have put them into POOLWITNESS_IGNORE, and their log stores group by them."""
    assert fingerprint(code, cls, made) == digits


def test_a_fingerprint_tells_faults_apart() -> None:
    first = fingerprint_of(stack(10))
    assert fingerprint_of(stack(10, function="other")) != first, "a function"
    assert fingerprint_of(stack(10, "/srv/shop/other.py")) != first, "a file"
    assert fingerprint_of(stack(10), cls="shop.Pool") != first, "a class"
    assert found(snapshot(pool(state="dropped")))[0].fingerprint != first, "a rule"
