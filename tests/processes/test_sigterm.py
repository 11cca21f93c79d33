"""POOLWITNESS_SIGTERM where a scenario cannot say it: whose signal it is, and who dies of it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.programs import Ran, environment, run, split

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends nobody SIGTERM")

POOL = """
import os, signal, sys, threading
from psycopg_pool import ConnectionPool
pool = ConnectionPool(os.environ["DSN"], open=True, min_size=0, max_size=1, num_workers=1)
"""
ITSELF = "os.kill(os.getpid(), signal.SIGTERM)"


def asked(dsn: str, **more: str) -> dict[str, str]:
    """The agent on, and asked to speak on SIGTERM."""
    return environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_FORMAT="json", POOLWITNESS_SIGTERM="1", **more)


def heard(ran: Ran) -> str:
    """What the started event says of it."""
    (started,) = ran.named("poolwitness.agent.started")
    return str(started["poolwitness.setting.sigterm"])


def test_the_verdict_names_the_hook_and_expects_no_finalizer(dsn: str) -> None:
    ran = run(POOL + ITSELF + "\nthreading.Event().wait(60)", asked(dsn))
    assert ran.status == -signal.SIGTERM
    (verdict,) = ran.named("poolwitness.verdict")
    assert verdict["poolwitness.hook"] == "SIGTERM"
    assert heard(ran) == "1"
    (finding,) = ran.named("poolwitness.finding")
    assert finding["poolwitness.expected_exit_delay_s"] == 0.0
    assert "the process ends without closing it" in finding["message"]


def test_without_being_asked_nothing_is_changed(dsn: str) -> None:
    program = POOL + "print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, flush=True)\npool.close()\n" + ITSELF
    ran = run(program, {**asked(dsn), "POOLWITNESS_SIGTERM": "0"})
    assert (ran.status, ran.stdout, ran.verdict) == (-signal.SIGTERM, b"True\n", "")


def test_a_program_without_a_pool_dies_of_it_in_silence(dsn: str) -> None:
    ran = run("import os, signal, threading\n" + ITSELF + "\nthreading.Event().wait(60)", asked(dsn))
    assert (ran.status, ran.stderr) == (-signal.SIGTERM, b"")


def test_who_ignores_it_goes_on_ignoring_it(dsn: str) -> None:
    ran = run(
        POOL + ITSELF + "\npool.close()\nprint('alive')",
        asked(dsn),
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    )
    assert (ran.status, ran.stdout, ran.verdict) == (0, b"alive\n", "clean")
    assert heard(ran) == "1, not heard: the program handles or ignores SIGTERM itself"


def test_a_verdict_is_told_once_when_it_comes_in_the_middle_of_another(dsn: str) -> None:
    program = POOL + (
        "from poolwitness.runtime import verdict\n"
        "original = verdict.Verdict._report\n"
        "def report(self, *arguments):\n"
        f"    {ITSELF}\n"
        "    return original(self, *arguments)\n"
        "verdict.Verdict._report = report\n"
        "pool.close()\n"
    )
    ran = run(program, asked(dsn))
    assert ran.status == -signal.SIGTERM
    (verdict,) = ran.named("poolwitness.verdict")
    assert verdict["poolwitness.hook"] == "atexit"


def test_the_second_signal_is_obeyed_at_once(dsn: str) -> None:
    program = POOL + (
        "from poolwitness.runtime import verdict\n"
        "def stuck(self, *arguments):\n"
        f"    {ITSELF}\n"
        "    threading.Event().wait(60)\n"
        "verdict.Verdict._report = stuck\n" + ITSELF
    )
    ran = run(program, asked(dsn), timeout_s=30)
    assert (ran.status, ran.verdict) == (-signal.SIGTERM, "")


def test_the_agent_activated_in_a_thread_says_that_it_cannot(dsn: str) -> None:
    program = (
        "import threading, poolwitness\n"
        "thread = threading.Thread(target=poolwitness.activate, kwargs={'sigterm': '1'})\n"
        "thread.start(); thread.join()\n" + POOL + "pool.close()\n" + ITSELF
    )
    ran = run(program, environment(DSN=dsn))
    assert (ran.status, ran.verdict) == (-signal.SIGTERM, "")
    assert "in the main thread only" in heard(ran)


def test_deactivate_gives_it_back(dsn: str) -> None:
    program = POOL + (
        "import poolwitness\npool.close()\npoolwitness.deactivate()\n"
        "print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, flush=True)\n" + ITSELF
    )
    ran = run(program, asked(dsn))
    assert (ran.status, ran.stdout, ran.verdict) == (-signal.SIGTERM, b"True\n", "")


@contextmanager
def as_process_1(program: str, env: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program as process 1 of a pid namespace of its own."""
    unshare = shutil.which("unshare")
    command = [unshare or "unshare", "-rpf", "--kill-child", sys.executable]
    if unshare is None or subprocess.run([*command, "-c", ""], capture_output=True).returncode:
        pytest.skip("no namespaces for this user: unshare -rpf")
    file = folder / "program.py"
    file.write_text(program, encoding="utf-8")
    with subprocess.Popen([*command, str(file)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("asked_for", ["0", "1"])
def test_process_1_outlives_it_as_it_did_before(asked_for: str, dsn: str, tmp_path: Path) -> None:
    """The kernel keeps a signal without a handler from process 1: so it was, and so it is, after the verdict."""
    program = POOL + (
        f"assert os.getpid() == 1\nprint('READY', flush=True)\n{ITSELF}\nprint('alive', flush=True)\npool.close()\n"
    )
    with as_process_1(program, {**asked(dsn), "POOLWITNESS_SIGTERM": asked_for}, tmp_path) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, b"READY\nalive\n"), stderr.decode()
    (verdict,) = [event for event in split(stderr)[0] if event["event"] == "poolwitness.verdict"]
    assert verdict["poolwitness.hook"] == ("SIGTERM" if asked_for == "1" else "atexit")
    assert verdict["process.pid"] == 1
