"""Signals at ``poolwitness run --check``: the program gets each of them, once, and ends as it would alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from tests.support.commands import check_words, environ

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")]

# Says what it hears, and ends on SIGTERM.
LISTENER = """
import signal, sys, time
heard = []
def hear(number, frame):
    heard.append(signal.Signals(number).name)
    print(heard[-1], flush=True)
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), hear)
print("ready", flush=True)
while "SIGTERM" not in heard:
    time.sleep(0.05)
print("heard", len(heard), flush=True)
sys.exit(7)
"""


SLEEPER = "print('ready', flush=True); import time; time.sleep(60)"


@contextmanager
def start(words: list[str], stdout: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a session of its own, as a supervisor does; nothing of it outlives the block."""
    with subprocess.Popen(
        words, env=environ(), stdout=stdout, stderr=subprocess.DEVNULL, start_new_session=True, text=True
    ) as run:
        try:
            yield run
        finally:
            # Its group may hold a program that a failing test has not ended.
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)


def wait_for(stream: IO[str] | None, line: str) -> None:
    """Read on until a line comes."""
    assert stream is not None
    seen = []
    for got in stream:
        seen.append(got.strip())
        if seen[-1] == line:
            return
    pytest.fail(f"{line!r} never came, but {seen}")


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"])
def test_each_is_passed_on_once(name: str) -> None:
    with start(check_words(sys.executable, "-c", LISTENER, name, "SIGTERM")) as run:
        wait_for(run.stdout, "ready")
        run.send_signal(getattr(signal, name))
        wait_for(run.stdout, name)
        run.send_signal(signal.SIGTERM)
        wait_for(run.stdout, "heard 2")
        assert run.wait(timeout=60) == 7


def test_a_program_without_a_handler_dies_of_it_and_so_do_we() -> None:
    with start(check_words(sys.executable, "-c", SLEEPER)) as run:
        wait_for(run.stdout, "ready")
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=60) == -signal.SIGTERM


def test_what_is_ignored_stays_ignored() -> None:
    """As under nohup: neither we nor the program are told to die with the terminal."""
    code = (
        "import os, signal, sys\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    child = "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    command = [sys.executable, "-c", code, *check_words(sys.executable, "-c", child)[1:]]
    run = subprocess.run(command, env=environ(), capture_output=True, text=True, timeout=60)
    assert run.stdout == "True\n"


def test_none_is_lost() -> None:
    """Each is sent as soon as the last one was heard, so that many fall just before a wait."""
    with start(check_words(sys.executable, "-c", LISTENER, "SIGUSR1", "SIGTERM")) as run:
        wait_for(run.stdout, "ready")
        for _ in range(300):
            run.send_signal(signal.SIGUSR1)
            wait_for(run.stdout, "SIGUSR1")
        run.send_signal(signal.SIGTERM)
        wait_for(run.stdout, "heard 301")
        assert run.wait(timeout=60) == 7


def test_a_signal_at_any_moment_leaves_no_orphan() -> None:
    """SIGTERM falls before, into and after the start of the program; it always reaches it."""
    begun = time.monotonic()
    with start(check_words(sys.executable, "-c", SLEEPER)) as run:
        wait_for(run.stdout, "ready")
        starting_s = time.monotonic() - begun
        run.terminate()
    for step in range(30):
        read_end, write_end = os.pipe()
        with start(check_words(sys.executable, "-c", SLEEPER), stdout=write_end) as run:
            os.close(write_end)
            time.sleep(starting_s * step / 25)
            run.send_signal(signal.SIGTERM)
            assert run.wait(timeout=60) == -signal.SIGTERM
        with open(read_end, "rb") as pipe:
            # An orphan would hold the other end open for a minute.
            ended = time.monotonic()
            pipe.read()
            assert time.monotonic() - ended < 20


def test_ctrl_c_at_a_terminal_reaches_the_program_once() -> None:
    at_a_terminal(b"\x03", "SIGINT")


def test_quit_at_a_terminal_reaches_the_program_once() -> None:
    at_a_terminal(b"\x1c", "SIGQUIT")


def at_a_terminal(key: bytes, name: str) -> None:
    master, slave = os.openpty()
    terminal = os.ttyname(slave)
    # The first terminal that a session's leader opens becomes its controlling one.
    code = (
        f"import os, sys; os.dup2(os.open({terminal!r}, os.O_RDWR), 0)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    command = check_words(sys.executable, "-c", LISTENER, name, "SIGTERM")
    with start([sys.executable, "-c", code, *command[1:]]) as run:
        os.close(slave)
        wait_for(run.stdout, "ready")
        for _ in range(10):
            os.write(master, key)
            wait_for(run.stdout, name)
        run.send_signal(signal.SIGTERM)
        wait_for(run.stdout, "heard 11")
        assert run.wait(timeout=60) == 7
    os.close(master)
