"""``poolwitness dump`` of processes that never had the agent: Python 3.14 and later can be looked into."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.dump.running import dump, line_of, refusal, running, state_of, taking_s
from tools.matrix.interpreters import find

YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
may_reach = os.name == "posix" and (os.geteuid() == 0 or not YAMA.exists() or YAMA.read_text().strip() == "0")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


@pytest.fixture
def reach() -> None:
    """Skips where no process can be reached into."""
    if sys.version_info < (3, 14):
        pytest.skip("sys.remote_exec came with Python 3.14")
    if not may_reach:
        pytest.skip("this user may not reach into a process that is not its child")


@pytest.mark.usefixtures("reach")
def test_a_process_without_the_agent_is_looked_into_and_goes_on(dsn: str, tmp_path: Path) -> None:
    with running("sync_pools", "3", "busy", dsn=dsn, TMPDIR=str(tmp_path)) as program:
        state = state_of(program.pid, TMPDIR=str(tmp_path))
        assert state.process["poolwitness.answered_by"] == "heap"
        assert {event["process.pid"] for event in state.events} == {program.pid}
        assert set(state.pools) == {"pool 0", "pool 1", "pool 2"}
        (pool,) = [pool for pool in state.pools.values() if pool["poolwitness.connections_out"]]
        assert pool["db.client.connection.pool.name"] == "pool 0"
        assert (pool["poolwitness.pool.state"], pool["poolwitness.pool.class"]) == (
            "open",
            "psycopg_pool.ConnectionPool",
        )
        assert (pool["poolwitness.stats.pool_size"], pool["poolwitness.stats.pool_available"]) == (1, 0)
        assert (pool["poolwitness.connections_out"], pool["poolwitness.requests_waiting"]) == (1, 0)
        assert "poolwitness.pool.created_at" not in pool
        assert pool["db.namespace"]
        (holder,) = state.named("holder")
        assert holder["poolwitness.transaction"] == "idle in transaction"
        assert holder["poolwitness.kept_by"] == "hold().conn of thread 'holder'"
        assert holder["poolwitness.holder_at"].endswith(f":{line_of('sync_pools', 'stands')}")
        for unknown in ("held_s", "idle_s", "holder", "holder_kind", "holder_alive"):
            assert f"poolwitness.{unknown}" not in holder
        assert "code.file.path" not in holder
        assert "who took each connection" in state.process["poolwitness.unknown"][0]
        threads = {event["thread.name"]: event for event in state.named("thread")}
        assert set(threads) >= {"MainThread", "holder"}
        assert [name for name, event in threads.items() if event["poolwitness.main_thread"]] == ["MainThread"]
        assert threads["holder"]["code.line.number"] == line_of("sync_pools", "stands")
        shown = dump(program.pid, TMPDIR=str(tmp_path)).stdout
        assert "taken at an unknown line  by an unknown holder, IDLE IN TRANSACTION" in shown
        assert "not known\n  who took each connection" in shown
        assert list(tmp_path.iterdir()) == []
        assert program.end() == 0
        assert program.hear() == "ENDED"
        assert program.stderr() == ""


@pytest.mark.usefixtures("reach")
def test_fifty_pools_on_the_heap_take_less_than_a_second(dsn: str) -> None:
    with running("sync_pools", "50", "busy", dsn=dsn) as program:
        assert len(state_of(program.pid).pools) == 50
        assert taking_s(str(program.pid)) < 1.0
        assert program.end() == 0


@pytest.mark.usefixtures("reach")
def test_every_kind_of_pool_is_found(dsn: str) -> None:
    with running("many_kinds", dsn=dsn) as program:
        state = state_of(program.pid)
        pools = state.pools
        shop = pools.pop("\ufffd[31mshop\n")
        assert (shop["poolwitness.pool.class"], shop["poolwitness.kept_by"]) == ("__main__.ShopPool", "__main__.shop")
        assert (shop["poolwitness.pool.state"], shop["poolwitness.stats.pool_available"]) == ("open", 1)
        assert {name: pool["poolwitness.pool.state"] for name, pool in pools.items()} == {
            "null": "open",
            "never opened": "new",
            "async": "open",
        }
        assert state.process["poolwitness.pools_closed"] == 1
        assert pools["async"]["poolwitness.pool.is_async"] is True
        assert (pools["async"]["poolwitness.workers_alive"], pools["async"]["poolwitness.workers_dead"]) == (4, 0)
        holders = {event["db.client.connection.pool.name"]: event for event in state.named("holder")}
        assert holders["null"]["poolwitness.kept_by"] == "__main__.held"
        assert holders["async"]["poolwitness.kept_by"] == "hold().conn of task 'the holder'"
        assert holders["async"]["poolwitness.holder_at"].endswith(f":{line_of('many_kinds', 'stands')}")
        shown = dump(program.pid).stdout
        assert "\x1b" not in shown
        assert "1 closed pool not shown" in shown
        assert program.end() == 0
        assert program.hear() == "ENDED"
        assert program.stderr() == ""


@pytest.mark.usefixtures("reach")
def test_a_blocked_main_thread_is_said_within_five_seconds_and_nothing_comes_of_it_later(
    dsn: str, tmp_path: Path
) -> None:
    with running("handling_a_signal", dsn=dsn, TMPDIR=str(tmp_path)) as program:
        assert taking_s(str(program.pid)) < 4.0
        line = refusal(dump(program.pid, TMPDIR=str(tmp_path)))
        stands = f"{_program('handling_a_signal')}:{line_of('handling_a_signal', 'stands')}"
        assert f"it is blocked at {stands} in main" in line
        assert "POOLWITNESS=1" in line
        # The request cannot be taken back: when the main thread comes to it, it finds nobody and tidies up.
        assert len(list(tmp_path.iterdir())) == 1
        assert program.end() == 0
        assert program.hear() == "ENDED []"
        assert program.stderr() == ""
        assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("reach")
def test_a_signal_that_is_handled_wakes_a_blocked_main_thread(dsn: str) -> None:
    with running("handling_a_signal", "handles", dsn=dsn) as program:
        assert "add --wake with one of SIGUSR1" in refusal(dump(program.pid, "--timeout", "0.5"))
        assert "has no handler for SIGUSR2" in refusal(dump(program.pid, "--wake", "SIGUSR2"))
        assert "has no handler for NONSENSE" in refusal(dump(program.pid, "--wake", "nonsense"))
        (holder,) = state_of(program.pid, "--wake", "sigusr1").named("holder")
        assert holder["poolwitness.kept_by"] == "main().desk of thread 'MainThread'"
        assert holder["poolwitness.transaction"] == "idle in transaction"
        assert program.end() == 0
        assert program.hear() == f"ENDED [{signal.SIGUSR1:d}]"
        assert program.stderr() == ""


@pytest.mark.usefixtures("reach")
def test_what_earlier_requests_left_is_taken_away(dsn: str, tmp_path: Path) -> None:
    with running("handling_a_signal", dsn=dsn) as program:
        refusal(dump(program.pid, "--timeout", "0.2", TMPDIR=str(tmp_path)))
        (first,) = tmp_path.iterdir()
        refusal(dump(program.pid, "--timeout", "0.2", TMPDIR=str(tmp_path)))
        (second,) = tmp_path.iterdir()
        assert first != second
    with running("sync_pools", "1", "busy", dsn=dsn) as program:
        state_of(program.pid, TMPDIR=str(tmp_path))
        assert list(tmp_path.iterdir()) == []
        assert program.end() == 0


@pytest.mark.usefixtures("reach")
def test_an_agent_that_has_no_thread_is_found_by_reaching_in(dsn: str) -> None:
    with running("sync_pools", "1", "busy", dsn=dsn, POOLWITNESS="1", POOLWITNESS_LEVEL="exit") as program:
        state = state_of(program.pid)
        assert state.process["poolwitness.answered_by"] == "agent"
        (pool,) = state.pools.values()
        assert pool["code.line.number"] == line_of("sync_pools", "made")
        assert program.end() == 0


@pytest.mark.usefixtures("reach")
def test_an_agent_that_has_seen_no_pool_loads_nothing_in_a_thread_of_ours(tmp_path: Path) -> None:
    program = """if True:
        import os, sys, time, psycopg_pool
        print(1, flush=True)
        while not os.path.exists(sys.argv[1]):
            time.sleep(0.01)
        print("poolwitness.agent" in sys.modules)
    """
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "over")],
        env={**os.environ, "POOLWITNESS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        state = state_of(process.pid)
        shown = dump(process.pid).stdout
        (tmp_path / "over").touch()
        stdout, stderr = process.communicate(timeout=60)
    assert (state.process["poolwitness.answered_by"], state.pools) == ("heap", {})
    assert "no agent, or one that has seen no pool" in shown
    assert (stdout, stderr, process.returncode) == (b"False\n", b"", 0)


@pytest.mark.usefixtures("reach")
def test_a_process_that_does_not_allow_it_says_so(dsn: str) -> None:
    with running("sync_pools", "1", "busy", dsn=dsn, PYTHON_DISABLE_REMOTE_DEBUG="1") as program:
        assert "cannot be reached into: Remote debugging is not enabled" in refusal(dump(program.pid))
        assert program.end() == 0


@pytest.mark.usefixtures("reach")
def test_a_process_without_the_pool_library_has_no_pools() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print(1, flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        assert state_of(program.pid).pools == {}
        assert "no pool is open" in dump(program.pid).stdout
        program.kill()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="from there on it can be looked into")
def test_an_older_python_says_what_to_do(dsn: str) -> None:
    with running("sync_pools", "1", "busy", dsn=dsn) as program:
        line = refusal(dump(program.pid))
        assert f"runs Python 3.{sys.version_info.minor} without the agent" in line
        assert "start it with POOLWITNESS=1" in line
        assert program.end() == 0


def test_another_python_is_named_and_can_be_used() -> None:
    """Asked from one version, a process of another: the command that is proposed works as it stands."""
    series_here = f"{sys.version_info.major}.{sys.version_info.minor}"
    all_series = [series for series in ("3.15", "3.14", "3.13", "3.12", "3.11") if series != series_here]
    other = next((found for series in all_series if (found := find(series))), None)
    if other is None:
        pytest.skip("this machine has no other Python")
    with subprocess.Popen(
        [other.path, "-c", "print(1, flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        line = refusal(dump(program.pid))
        series = other.version.rpartition(".")[0]
        assert f"runs Python {series}" in line
        if tuple(map(int, series.split("."))) >= (3, 14):
            proposed = line.partition(": that Python can look into it: ")[2] or line[line.index("PYTHONPATH=") :]
            assert f"-m poolwitness dump {program.pid}" in proposed
            if may_reach:
                done = subprocess.run(proposed, shell=True, capture_output=True, text=True, timeout=60)
                assert (done.returncode, done.stderr) == (0, "")
                assert "no pool is open" in done.stdout
        program.kill()


def _program(name: str) -> Path:
    return Path(__file__).parent / "dump" / "programs" / f"{name}.py"
