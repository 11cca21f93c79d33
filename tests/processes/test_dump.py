"""``poolwitness dump``: real processes are asked, and go on as if nobody had."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes.dump.running import PROGRAMS, dump, line_of, refusal, running, state_of, taking_s

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only Python 3.14 and later can be asked"),
]
ON = {"POOLWITNESS": "1"}
BLOCKED_IN = ["lock", "sleep", "select", "join", "queue", "condition", "pool"]


@pytest.mark.parametrize("blocked_in", [*BLOCKED_IN, "busy"])
def test_the_agent_answers_whatever_the_main_thread_does(blocked_in: str, dsn: str) -> None:
    with running("sync_pools", "2", blocked_in, dsn=dsn, **ON) as program:
        state = state_of(program.pid)
        assert state.process["process.pid"] == program.pid
        assert state.process["poolwitness.asked_by"] == "poolwitness dump"
        assert state.process["poolwitness.answered_by"] == "agent"
        assert state.process["poolwitness.version.python"] == ".".join(map(str, sys.version_info[:3]))
        assert "poolwitness.unknown" not in state.process
        assert list(state.pools) == ["pool 0", "pool 1"]
        first, second = state.pools.values()
        assert (first["poolwitness.pool.state"], first["poolwitness.pool.max_size"]) == ("open", 1)
        assert (first["poolwitness.connections_out"], second["poolwitness.connections_out"]) == (1, 0)
        assert first["poolwitness.pool.created_at"] == f"{PROGRAMS / 'sync_pools.py'}:{line_of('sync_pools', 'made')}"
        assert first["poolwitness.requests_waiting"] == (1 if blocked_in == "pool" else 0)
        assert (first["poolwitness.workers_alive"], first["poolwitness.workers_dead"]) == (2, 0)
        (holder,) = state.named("holder")
        assert holder["poolwitness.pool.id"] == first["poolwitness.pool.id"]
        assert holder["code.line.number"] == line_of("sync_pools", "taken")
        assert holder["poolwitness.called_at"].endswith(f":{line_of('sync_pools', 'called')}")
        assert holder["poolwitness.holder_at"].endswith(f":{line_of('sync_pools', 'stands')}")
        assert f"line {line_of('sync_pools', 'stands')}, in hold" in holder["poolwitness.holder_stacktrace"]
        assert (holder["poolwitness.holder"], holder["poolwitness.holder_kind"]) == ("holder", "thread")
        assert holder["poolwitness.holder_alive"] is True
        assert holder["poolwitness.transaction"] == "idle in transaction"
        assert 0 < holder["poolwitness.held_s"] < 60
        assert program.end() == 0
        assert program.hear() == "ENDED"
        assert not re.search("Traceback|part_disabled", program.stderr())


def test_fifty_pools_and_a_blocked_main_thread_take_less_than_a_second(dsn: str) -> None:
    with running("sync_pools", "50", "lock", dsn=dsn, **ON) as program:
        assert len(state_of(program.pid).pools) == 50
        assert taking_s(str(program.pid)) < 1.0
        assert program.end() == 0


def test_people_are_shown_what_is_stuck_first(dsn: str) -> None:
    with running("sync_pools", "3", "pool", dsn=dsn, **ON) as program:
        done = dump(program.pid)
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert lines[0].startswith(f"process {program.pid}: Python 3.")
        assert lines[2].startswith("pool 'pool 0' (psycopg_pool.ConnectionPool), open, created at ")
        assert "1 out, 0 idle, 1 request waiting" in lines[3]
        row = next(line for line in lines if line.startswith("  out "))
        assert f"sync_pools.py:{line_of('sync_pools', 'taken')} in connection (called at " in row
        assert f"sync_pools.py:{line_of('sync_pools', 'called')})  by thread 'holder', IDLE IN TRANSACTION" in row
        assert row.endswith(f"sync_pools.py:{line_of('sync_pools', 'stands')}")
        assert program.end() == 0


def test_what_the_rules_say_at_this_moment_is_in_it(dsn: str) -> None:
    with running("sync_pools", "20", "lock", dsn=dsn, POOLWITNESS_HELD_S="0.001", **ON) as program:
        time.sleep(0.01)
        state = state_of(program.pid)
        assert {"PW007", "PW103"} <= set(state.findings)
        assert state.findings["PW103"]["code.line.number"] == line_of("sync_pools", "taken")
        assert state.process["poolwitness.found.PW103"] == 1
        assert "findings at this moment\n" in dump(program.pid).stdout
        assert program.end() == 0


def test_an_event_loop_answers_without_a_thread_of_ours(dsn: str) -> None:
    with running("async_pool", "waiting", dsn=dsn, **ON) as program:
        assert "poolwitness" not in program.words[1]
        for _ in range(2):
            state = state_of(program.pid)
        (pool,) = state.pools.values()
        assert pool["poolwitness.pool.is_async"] is True
        (holder,) = state.named("holder")
        assert (holder["poolwitness.holder"], holder["poolwitness.holder_kind"]) == ("holder", "task")
        assert holder["code.line.number"] == line_of("async_pool", "taken")
        assert "poolwitness.called_at" not in holder
        assert holder["poolwitness.holder_at"].endswith(f":{line_of('async_pool', 'stands')}")
        assert program.end() == 0
        assert program.hear() == f"ENDED {program.words[1]}"
        assert not re.search("Traceback|part_disabled", program.stderr())


def test_a_blocked_event_loop_is_said_within_five_seconds(dsn: str) -> None:
    with running("async_pool", "blocked", dsn=dsn, **ON) as program:
        line = refusal(dump(program.pid))
        assert taking_s(str(program.pid)) < 4.0
        assert "POOLWITNESS_SIGNAL" in line
        if sys.version_info >= (3, 14):
            assert f"async_pool.py:{line_of('async_pool', 'blocked')}" in line


def test_a_blocked_event_loop_answers_where_a_signal_was_asked_for(dsn: str) -> None:
    with running("async_pool", "blocked", dsn=dsn, POOLWITNESS_SIGNAL="SIGUSR2", **ON) as program:
        (holder,) = state_of(program.pid).named("holder")
        assert holder["poolwitness.holder"] == "holder"


@pytest.mark.parametrize("how", ["by Python", "by C"])
def test_a_forked_child_answers_for_itself(how: str, dsn: str) -> None:
    with running("forking", how, dsn=dsn, **ON) as parent:
        child, named_parent = (int(word) for word in parent.words[1:])
        assert named_parent == parent.pid
        pools = state_of(child).pools
        assert [name for name, pool in pools.items() if not pool["poolwitness.pool.inherited"]] == ["the child's"]
        assert list(state_of(parent.pid).pools) == ["the parent's"]
        os.kill(parent.pid, signal.SIGKILL)
        parent.process.wait()
        assert f"no process {parent.pid}" in refusal(dump(parent.pid))
        assert state_of(child).process["process.pid"] == child
        # The parent's door is not held open by the child.
        assert f"-{parent.pid}\n" not in Path("/proc/net/unix").read_text()


def test_a_daemon_that_closes_every_descriptor_answers_and_keeps_its_files(dsn: str) -> None:
    with running("tidying", dsn=dsn, POOLWITNESS_SWEEP_S="0.05", **ON) as program:
        deadline_mono = time.monotonic() + 30
        while dump(program.pid).returncode and time.monotonic() < deadline_mono:
            pass
        assert list(state_of(program.pid).pools) == ["tidy"]
        assert program.end() == 0
        assert program.hear() == "ENDED"


def test_no_descriptor_of_ours_reaches_a_program_that_is_started(dsn: str) -> None:
    code = (
        "import os, subprocess\nfrom psycopg_pool import ConnectionPool\n"
        "with ConnectionPool(os.environ['DSN'], open=True, min_size=0, max_size=1):\n"
        "    subprocess.run(['ls', '-l', '/proc/self/fd'], close_fds=False, check=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "DSN": dsn, **ON}, capture_output=True, text=True, check=True
    )
    assert "pipe:" in done.stdout
    assert "socket:" not in done.stdout


def test_nothing_is_left_behind(dsn: str, tmp_path: Path) -> None:
    with running("sync_pools", "1", "lock", dsn=dsn, TMPDIR=str(tmp_path), **ON) as program:
        state_of(program.pid, TMPDIR=str(tmp_path))
        assert f"-{program.pid}\n" in Path("/proc/net/unix").read_text()
        assert program.end() == 0
    assert f"-{program.pid}\n" not in Path("/proc/net/unix").read_text()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_else_is_not_answered(dsn: str) -> None:
    with running("sync_pools", "1", "lock", dsn=dsn, **ON) as program:
        as_nobody = _as_nobody(lambda: _knock(program.pid))
        assert as_nobody == "NoAnswer: "
        assert "belongs to root; run the command as that user or as root" in _as_nobody(lambda: _look(program.pid))
        assert state_of(program.pid).pools
        assert program.end() == 0


@pytest.mark.parametrize(
    ("word", "names"),
    [("abc", "'abc'"), ("0", "'0'"), ("4.5", "'4.5'"), ("", "''"), ("99999999999999", "'99999999999999'")],
)
def test_what_is_no_pid_is_a_mistake_in_the_command_line(word: str, names: str) -> None:
    assert names in refusal(dump(word), status=2)


@pytest.mark.parametrize("words", [("--timeout", "soon"), ("--timeout", "-1"), ("--timeout", "nan")])
def test_what_is_no_time_is_one_too(words: tuple[str, ...]) -> None:
    assert words[1] in refusal(dump(os.getpid(), f"{words[0]}={words[1]}"), status=2)


def test_a_pid_without_a_process() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert refusal(dump(gone.pid)) == f"poolwitness: there is no process {gone.pid}."


def test_a_process_that_has_ended_and_was_not_waited_for() -> None:
    with subprocess.Popen(["true"]) as zombie:
        while "State:\tZ" not in Path(f"/proc/{zombie.pid}/status").read_text():
            time.sleep(0.01)
        assert "has ended" in refusal(dump(zombie.pid))


def test_a_process_that_is_no_python() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        while "sleep" not in Path(f"/proc/{sleeper.pid}/comm").read_text():
            time.sleep(0.01)
        assert f"process {sleeper.pid} (sleep) is not a Python process" in refusal(dump(sleeper.pid))
        sleeper.kill()


def test_a_thread_is_not_a_process(dsn: str) -> None:
    with running("sync_pools", "1", "lock", dsn=dsn, **ON) as program:
        thread = max(int(name) for name in os.listdir(f"/proc/{program.pid}/task"))
        assert f"run `poolwitness dump {program.pid}`" in refusal(dump(thread))
        assert program.end() == 0


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() != 0 or not shutil.which("unshare"), reason="only root can move into a namespace"
)
def test_a_process_in_a_container_is_to_be_asked_in_there() -> None:
    code = "print(1, flush=True)\nwhile True: pass"
    with subprocess.Popen(["unshare", "--mount", sys.executable, "-c", code], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        if not program.stdout.readline():
            pytest.skip("this container lets nobody make another")
        assert f"nsenter -a -t {program.pid}" in refusal(dump(program.pid))
        program.kill()


def test_an_agent_without_a_pool_says_when_it_will_answer() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"],
        env={**os.environ, **ON},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        if sys.version_info < (3, 14):
            assert "as soon as a pool is opened" in refusal(dump(program.pid))
        program.kill()


def _knock(pid: int) -> str:
    from poolwitness.dump import client

    return repr(client.ask(pid, 0, time.monotonic() + 5))


def _look(pid: int) -> str:
    from poolwitness.cli.dump.process import inspect

    return repr(inspect(pid))


def _as_nobody(question: Callable[[], str]) -> str:
    """What a forked child hears that has become another user."""
    # What is imported must be readable, also what decoding imports: before the child is somebody else.
    from poolwitness.cli.dump.process import inspect
    from poolwitness.dump.address import address_of

    inspect(os.getpid())
    address_of(os.getpid(), 0)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setuid(65534)
        try:
            answer = question()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as answers:
        told = answers.read()
    os.waitpid(child, 0)
    return told
