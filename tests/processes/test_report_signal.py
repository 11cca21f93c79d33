"""POOLWITNESS_SIGNAL: the living state is told on a signal, and a program's own handlers are its own."""

from __future__ import annotations

import os
import re
import signal
import sys
import time

import pytest

from tests.processes.dump.running import line_of, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal on Windows"),
]
ON = {"POOLWITNESS": "1", "POOLWITNESS_FORMAT": "json"}
ASKED = {**ON, "POOLWITNESS_SIGNAL": "SIGUSR2"}


@pytest.mark.parametrize("blocked_in", ["lock", "sleep", "select", "join", "queue", "condition", "pool", "busy"])
def test_the_state_is_told_whatever_the_main_thread_is_blocked_in(blocked_in: str, dsn: str) -> None:
    with running("sync_pools", "2", blocked_in, dsn=dsn, **ASKED) as program:
        for number in (1, 2):
            os.kill(program.pid, signal.SIGUSR2)
            states = program.wait_for("poolwitness.state", number)
            program.wait_for("poolwitness.holder", number)
        assert "2 pools open, 1 connection out" in states[0]["message"]
        report = states[0]["poolwitness.report_id"]
        told = program.events("poolwitness.pool.state")
        pools = [event for event in told if event["poolwitness.report_id"] == report]
        assert [event["db.client.connection.pool.name"] for event in pools] == ["pool 0", "pool 1"]
        assert [event["poolwitness.connections_out"] for event in pools] == [1, 0]
        holder = program.events("poolwitness.holder")[0]
        assert holder["poolwitness.report_id"] == report
        assert holder["code.line.number"] == line_of("sync_pools", "taken")
        assert holder["poolwitness.holder_at"].endswith(f":{line_of('sync_pools', 'stands')}")
        assert program.end() == 0
        assert program.hear() == "ENDED"
        assert not re.search("Traceback|part_disabled", program.stderr())


@pytest.mark.parametrize("loop", ["waiting", "blocked"])
def test_async_pools_are_told_too(loop: str, dsn: str) -> None:
    with running("async_pool", loop, dsn=dsn, **ASKED) as program:
        os.kill(program.pid, signal.SIGUSR2)
        (holder,) = program.wait_for("poolwitness.holder")
        assert holder["code.line.number"] == line_of("async_pool", "taken")
        assert holder["poolwitness.holder_kind"] == "task"
        if loop == "waiting":
            assert program.end() == 0
            assert program.hear().startswith("ENDED")


def test_the_quietest_level_answers_too(dsn: str) -> None:
    with running("sync_pools", "1", "lock", dsn=dsn, POOLWITNESS_LEVEL="exit", **ASKED) as program:
        os.kill(program.pid, signal.SIGUSR2)
        program.wait_for("poolwitness.pool.state")
        assert program.end() == 0


def test_a_storm_of_signals_is_survived(dsn: str) -> None:
    with running("sync_pools", "2", "busy", dsn=dsn, **ASKED) as program:
        for _ in range(300):
            os.kill(program.pid, signal.SIGUSR2)
            time.sleep(0.001)
        program.wait_for("poolwitness.state")
        assert program.end() == 0
        assert program.hear() == "ENDED"
        assert not re.search("Traceback|part_disabled", program.stderr())


@pytest.mark.parametrize("how", ["by Python", "by C"])
def test_a_forked_child_without_a_pool_of_its_own_tells_its_own(how: str, dsn: str) -> None:
    with running("forked_later", how, dsn=dsn, **ASKED) as parent:
        child = int(parent.words[1])
        os.kill(child, signal.SIGUSR2)
        (state,) = parent.wait_for("poolwitness.state")
        assert state["process.pid"] == child
        os.kill(parent.pid, signal.SIGUSR2)
        states = parent.wait_for("poolwitness.state", 2)
        assert [event["process.pid"] for event in states] == [child, parent.pid]
        parent.tell("go on")
        assert parent.hear() == "ENDED"


def test_without_the_setting_the_signal_does_what_it_did(dsn: str) -> None:
    with running("handling", "nothing", dsn=dsn, **ON) as program:
        assert program.words[1] == "True"
        os.kill(program.pid, signal.SIGUSR2)
        assert program.process.wait(60) == -signal.SIGUSR2


@pytest.mark.parametrize("what", ["before", "ignored"])
def test_a_handler_of_the_program_is_left_alone_and_that_is_said(what: str, dsn: str) -> None:
    with running("handling", what, dsn=dsn, **ASKED) as program:
        os.kill(program.pid, signal.SIGUSR2)
        if what == "before":
            assert program.hear() == "OWN"
        (started,) = program.events("poolwitness.agent.started")
        assert started["poolwitness.setting.signal"] == "SIGUSR2, not heard"
        (problem,) = program.events("poolwitness.agent.setting_invalid")
        assert "the program handles or ignores it itself" in problem["message"]
        assert program.end() == 0
        assert program.events("poolwitness.state") == []


def test_a_handler_that_is_set_later_wins(dsn: str) -> None:
    with running("handling", "later", dsn=dsn, **ASKED) as program:
        os.kill(program.pid, signal.SIGUSR2)
        assert program.hear() == "OWN"
        assert program.end() == 0
        assert program.events("poolwitness.state") == []


def test_a_pool_imported_in_another_thread_is_said(dsn: str) -> None:
    with running("handling", "elsewhere", dsn=dsn, **ASKED) as program:
        (problem,) = program.events("poolwitness.agent.setting_invalid")
        assert "in the main thread only" in problem["message"]
        assert program.end() == 0


def test_deactivate_gives_the_signal_back(dsn: str) -> None:
    with running("handling", "given-back", dsn=dsn, **ASKED) as program:
        assert program.words[1] == "True"
        os.kill(program.pid, signal.SIGUSR2)
        assert program.process.wait(60) == -signal.SIGUSR2


def test_a_signal_that_nobody_can_handle_is_said(dsn: str) -> None:
    with running("sync_pools", "1", "lock", dsn=dsn, **{**ASKED, "POOLWITNESS_SIGNAL": "SIGKILL"}) as program:
        (problem,) = program.events("poolwitness.agent.setting_invalid")
        assert "POOLWITNESS_SIGNAL=SIGKILL is not heard: this system lets nobody handle it" in problem["message"]
        assert program.end() == 0
