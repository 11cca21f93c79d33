"""Run a scenario's program in a process of its own and keep what came out of it."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

from tests.support.scenarios.activation_modes import Launch
from tests.support.scenarios.collection import Scenario

READY = b"READY\n"
# Three pools hold up the exit by 30 s on Python 3.13; the rest is for a busy machine.
PATIENCE_S = 100.0
_NOT_INHERITED = ("PYTHON", "POOLWITNESS", "PG")


@dataclass(frozen=True)
class Run:
    """What a program left: both outputs, its status (negative: a signal) and how long it took."""

    stdout: bytes
    stderr: bytes
    status: int
    seconds: float
    pid: int


class Stuck(Exception):
    """A program that did not end; with what it had written by then."""


def run(scenario: Scenario, launch: Launch, dsn: str) -> Run:
    """Run the program to its end.

    Args:
        scenario: what to run.
        launch: how to run it.
        dsn: the database, which the program finds in the variable ``DSN``.

    Raises:
        Stuck: it did not end, and was killed.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        with subprocess.Popen(
            launch.command,
            cwd=folder,
            env=_environment(scenario, launch, dsn),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        ) as process:
            overdue = threading.Timer(PATIENCE_S, _kill, [process])
            overdue.start()
            try:
                head = _send_signal(process, scenario.header.signal)
                rest, stderr = process.communicate()
            finally:
                alive = overdue.is_alive()
                overdue.cancel()
    if not alive:
        written = (head + rest + stderr).decode(errors="replace")
        raise Stuck(f"{scenario.id} did not end within {PATIENCE_S:.0f} s\n{written}")
    return Run(head + rest, stderr, process.returncode, time.monotonic() - started, process.pid)


def _environment(scenario: Scenario, launch: Launch, dsn: str) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)}
    import_path = os.pathsep.join(str(path) for path in [*launch.import_path, *scenario.import_path])
    own = {"DSN": dsn, "PYTHONDONTWRITEBYTECODE": "1", **({"PYTHONPATH": import_path} if import_path else {})}
    return {**inherited, **own, **scenario.header.env, **launch.env}


def _send_signal(process: subprocess.Popen[bytes], number: signal.Signals | None) -> bytes:
    if number is None:
        return b""
    assert process.stdout is not None
    written = b""
    for line in iter(process.stdout.readline, b""):
        written += line
        if line == READY:
            process.send_signal(number)
            break
    return written


def _kill(process: subprocess.Popen[bytes]) -> None:
    # The whole session: a forked child that holds the pipe would keep us waiting.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
